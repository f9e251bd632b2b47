package ecs

import (
	"context"
	"encoding/json"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// maxRevisions is the longest number line of a family (SEMANTICS §17) [D].
const maxRevisions = 1_000_000

// registerDefinition makes a new revision, always: the family's next number, whatever became of the earlier ones
// (SEMANTICS §1.5, §2.4).
func (a *api) registerDefinition(ctx context.Context, in *sdk.RegisterTaskDefinitionInput) (*sdk.RegisterTaskDefinitionOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	spec, err := definition.Normalize(in)
	if err != nil {
		return nil, err
	}
	if err := checkDefinitionConstraints(&spec); err != nil {
		return nil, err
	}
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	row := model.TaskDefinition{Scope: who.Scope(), Family: value(in.Family), Status: model.DefinitionActive,
		RegisteredAt: a.nowMillis(), RegisteredBy: who.ARN, Tags: tags, Spec: spec}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		family := model.Family{Scope: row.Scope, Name: row.Family}
		if have, ok := tx.Families.Get(family.Key()); ok {
			family = *have
		}
		if family.LastRevision >= maxRevisions {
			return model.Errorf("LimitExceededException", "The family %s has reached the limit of %d revisions.", row.Family, maxRevisions) // [I]
		}
		family.LastRevision++
		row.Revision = family.LastRevision
		fresh := row
		if err := a.checkWide(tx, &fresh); err != nil {
			return err
		}
		tx.Families.Put(&family)
		tx.Definitions.Put(&fresh)
		return nil
	})
	if err != nil {
		return nil, err
	}
	v := viewDefinition(&row)
	out := &sdk.RegisterTaskDefinitionOutput{TaskDefinition: &v}
	if len(tags) > 0 {
		out.Tags = tagViews(tags)
	}
	return out, nil
}

// wideRole says that a role may do everything, "" if it may not.
func (a *api) wideRole(t *state.Tables, role string) string {
	if a.Wide == nil || role == "" {
		return ""
	}
	wide := a.Wide(t, role)
	if len(wide) == 0 {
		return ""
	}
	return "The role '" + role + "' allows every action on every resource (" + strings.Join(wide, ", ") + ")"
}

// checkWide warns of roles of a definition that may do everything, or refuses it (MISSION row 82).
func (a *api) checkWide(tx *state.Tx, d *model.TaskDefinition) error {
	for _, role := range []*string{d.Spec.TaskRoleArn, d.Spec.ExecutionRoleArn} {
		reason := a.wideRole(tx.Tables, value(role))
		if reason == "" {
			continue
		}
		if a.DenyWide {
			return errWide(reason)
		}
		detail, err := json.Marshal(map[string]string{"eventType": "WARN", "eventName": "OVER_PERMISSIVE_ROLE", "resource": d.ARN(), "role": *role, "principal": d.RegisteredBy,
			"reason": reason + "."})
		if err != nil {
			return err
		}
		tx.Events.Put(&model.Event{Scope: d.Scope, ID: a.NewUUID(), At: d.RegisteredAt, DetailType: model.DetailOverPermissive, Resources: []string{d.ARN(), *role}, Detail: string(detail)})
	}
	return nil
}

func errWide(reason string) error {
	return refused("%s, and this control plane runs no tasks with such roles.", reason)
}

// deregisterDefinition makes one revision INACTIVE (SEMANTICS §2.4).
func (a *api) deregisterDefinition(ctx context.Context, in *sdk.DeregisterTaskDefinitionInput) (*sdk.DeregisterTaskDefinitionOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	ref := parseDefinitionRef(who.Scope(), value(in.TaskDefinition))
	if ref.family != "" && ref.revision == 0 {
		return nil, refused("Revision is missing.") // [O]
	}
	var row model.TaskDefinition
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		have, ok := findDefinition(tx.Tables, who.Scope(), ref)
		if !ok {
			return errUnknownDefinition()
		}
		row = *have
		if have.Status == model.DefinitionActive {
			row.Status, row.DeregisteredAt = model.DefinitionInactive, a.nowMillis()
			changed := row
			tx.Definitions.Put(&changed)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	v := viewDefinition(&row)
	return &sdk.DeregisterTaskDefinitionOutput{TaskDefinition: &v}, nil
}

func errUnknownDefinition() error {
	return refused("The specified task definition does not exist. Specify a valid account, family, revision and try again.") // [O]
}

// deleteDefinitions moves INACTIVE revisions to DELETE_IN_PROGRESS; they go when no task that is not STOPPED needs them
// any more (SEMANTICS §2.4), which is the reaper's work. ACTIVE ones are failures.
func (a *api) deleteDefinitions(ctx context.Context, in *sdk.DeleteTaskDefinitionsInput) (*sdk.DeleteTaskDefinitionsOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("Task definitions", len(in.TaskDefinitions), 10); err != nil {
		return nil, err
	}
	s := who.Scope()
	refs := make([]definitionRef, len(in.TaskDefinitions))
	for i, given := range in.TaskDefinitions {
		refs[i] = parseDefinitionRef(s, given)
		if refs[i].family != "" && refs[i].revision == 0 {
			return nil, refused("Revision is missing.") // [I: as for DeregisterTaskDefinition]
		}
	}
	now := a.nowMillis()
	var out *sdk.DeleteTaskDefinitionsOutput
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		out = &sdk.DeleteTaskDefinitionsOutput{Failures: []types.Failure{}, TaskDefinitions: []types.TaskDefinition{}}
		for i, ref := range refs {
			row, ok := findDefinition(tx.Tables, s, ref)
			switch {
			case !ok:
				out.Failures = append(out.Failures, missing(definitionARN(s, in.TaskDefinitions[i])))
				continue
			case row.Status == model.DefinitionActive:
				out.Failures = append(out.Failures, failure(row.ARN(),
					"The specified task definition is still in ACTIVE status. Please deregister the target and try again.", "")) // [O]
				continue
			case row.Status == model.DefinitionInactive:
				changed := *row
				changed.Status, changed.DeleteAt = model.DefinitionDeleting, now
				tx.Definitions.Put(&changed)
				row = &changed
			}
			out.TaskDefinitions = append(out.TaskDefinitions, viewDefinition(row))
		}
		return nil
	})
	return out, err
}

// definitionARN is the ARN that a reference to a revision would have.
func definitionARN(s model.Scope, given string) string {
	if _, isARN := model.ParseARN(given); isARN {
		return given
	}
	return model.DefinitionARN(s, given)
}
