package iam

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// warnWide stores an event about statements that allow every action on every resource: of a policy that was written, or that
// somebody was given (MISSION row 82). of is the ARN of the policy's owner, or its own.
func (a *api) warnWide(ctx context.Context, tx *state.Tx, of string, p *policy.Policy) error {
	wide := p.Wide()
	if len(wide) == 0 {
		return nil
	}
	who, err := caller(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, i := range wide {
		names = append(names, p.StatementName(i))
	}
	detail, err := json.Marshal(map[string]any{
		"eventType": "WARN", "eventName": "OVER_PERMISSIVE_POLICY", "resource": of, "policy": p.Name, "statements": names, "principal": who.ARN,
		"reason": "Statement " + strings.Join(names, ", ") + " of the policy " + p.Name + " allows every action on every resource.",
	})
	if err != nil {
		return err
	}
	tx.Events.Put(&model.Event{Scope: who.Scope(), ID: uuid.NewString(), At: a.now(), DetailType: model.DetailOverPermissive, Resources: []string{of}, Detail: string(detail)})
	return nil
}

// warnAttached is warnWide about a managed policy that somebody was given.
func (a *api) warnAttached(ctx context.Context, tx *state.Tx, of, account string, arn *string) error {
	row, err := findPolicy(tx.Tables, account, arn)
	if err != nil {
		return err
	}
	p, err := policy.Parse(policy.Managed, *arn, row.Document())
	if err != nil {
		return err
	}
	return a.warnWide(ctx, tx, of, p)
}
