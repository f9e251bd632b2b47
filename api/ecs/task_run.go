package ecs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// runTask places and starts up to ten copies of a task definition (SEMANTICS §2.5, §5). The checks and the rows are made
// on a snapshot; the transaction only checks that nothing has changed, places the copies and writes them.
func (a *api) runTask(ctx context.Context, in *sdk.RunTaskInput) (*sdk.RunTaskOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	r, err := a.newRun(a.DB.Snapshot().Tables, who.Scope(), in)
	if err != nil {
		return nil, err
	}
	if r.placed == nil { // not the repetition of an earlier call
		if err := a.update(ctx, r.place); err != nil {
			return nil, err
		}
	}
	t := a.DB.Snapshot().Tables
	out := &sdk.RunTaskOutput{Tasks: make([]types.Task, len(r.placed)), Failures: list(r.failed)}
	for i, task := range r.placed {
		out.Tasks[i] = viewTask(t, task, true)
	}
	return out, nil
}

// run is one RunTask on its way.
type run struct {
	plan    *plan
	copies  []model.Task
	shares  []share
	waiting int             // the most tasks of the cluster that may wait for capacity
	token   *model.RunToken // nil without a clientToken
	now     model.Millis

	placed []*model.Task // what became of it
	failed []types.Failure
	short  *scheduler.Request // what the first share asked for that did not find room for all, nil if none
}

// newRun checks a request.
func (a *api) newRun(t *state.Tables, s model.Scope, in *sdk.RunTaskInput) (*run, error) {
	count := 1
	if in.Count != nil {
		count = int(*in.Count)
	}
	if count < 1 || count > 10 {
		return nil, invalid("Count must be between 1 and 10.") // [I]; the range is [D]
	}
	c, err := activeCluster(t, s, in.Cluster)
	if err != nil {
		return nil, err
	}
	r := &run{now: a.nowMillis(), waiting: a.Limits.WaitingTasks}
	if in.ClientToken != nil {
		if r.token, err = newToken(c, in, r.now); err != nil {
			return nil, err
		}
		if done, err := r.repeated(t); done || err != nil {
			return r, err
		}
	}
	how, err := choosePlacement(t, c, in.LaunchType, in.CapacityProviderStrategy, count)
	if err != nil {
		return nil, err
	}
	version, err := platformVersion(how.launchType, in.PlatformVersion)
	if err != nil {
		return nil, err
	}
	where, err := readPlacement(how.launchType, in.PlacementConstraints, in.PlacementStrategy)
	if err != nil {
		return nil, err
	}
	p, err := a.newPlan(t, c, &order{definition: in.TaskDefinition, overrides: in.Overrides, network: in.NetworkConfiguration,
		volumes: in.VolumeConfigurations, group: in.Group, startedBy: in.StartedBy, tags: in.Tags, propagate: in.PropagateTags,
		managedTags: in.EnableECSManagedTags, exec: in.EnableExecuteCommand}, how.launchType)
	if err != nil {
		return nil, err
	}
	if err := p.bind(where); err != nil {
		return nil, err
	}
	p.copy.PlatformVersion = version
	r.plan, r.copies, r.shares = p, a.copies(p, count), shares(how.providers, count)
	return r, nil
}

// platformVersion checks and resolves the FARGATE platform (SEMANTICS §4.2).
func platformVersion(launchType string, v *string) (string, error) {
	if launchType != string(types.LaunchTypeFargate) {
		if value(v) != "" {
			return "", invalid("The platform version must be null when specifying an %s launch type.", launchType) // [O]
		}
		return "", nil
	}
	switch value(v) {
	case "", "LATEST", "1.4.0":
		return "1.4.0", nil
	case "1.3.0":
		return "1.3.0", nil
	}
	return "", model.Errorf("PlatformUnknownException", "The specified platform version does not exist.") // [D]
}

// newToken is the row that makes the request idempotent (SEMANTICS §1.5).
func newToken(c *model.Cluster, in *sdk.RunTaskInput, now model.Millis) (*model.RunToken, error) {
	token := *in.ClientToken
	if !validToken(token) {
		return nil, invalid("clientToken must be at most 64 printable ASCII characters long.") // [I]; the rule is [D]
	}
	bare := *in
	bare.ClientToken, bare.Cluster = nil, nil // the row's key holds both
	b, err := wire.Marshal(&bare)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return &model.RunToken{Scope: c.Scope, Cluster: c.Name, Token: token, Fingerprint: hex.EncodeToString(sum[:]),
		ExpiresAt: now + tokenLife.Milliseconds()}, nil
}

func validToken(s string) bool {
	for i := range len(s) {
		if s[i] < 33 || s[i] > 126 {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// place is the transaction.
func (r *run) place(tx *state.Tx) error {
	r.placed, r.failed, r.short = nil, nil, nil
	if done, err := r.repeated(tx.Tables); done || err != nil {
		return err
	}
	if err := r.plan.valid(tx); err != nil {
		return err
	}
	for _, s := range r.shares {
		if err := r.placeShare(tx, s); err != nil {
			return err
		}
	}
	if r.token != nil && len(r.placed) > 0 { // nothing started: nothing to repeat
		row := *r.token
		for _, t := range r.placed {
			row.Tasks = append(row.Tasks, t.ID)
		}
		tx.RunTokens.Put(&row)
	}
	return nil
}

// repeated finds the tasks that an earlier request with the same token started. What became of it since, and of the
// definition, does not matter.
func (r *run) repeated(t *state.Tables) (bool, error) {
	if r.token == nil {
		return false, nil
	}
	old, ok := t.RunTokens.Get(r.token.Key())
	if !ok || old.ExpiresAt <= r.now {
		return false, nil
	}
	arns := []string{}
	r.placed = []*model.Task{}
	for _, id := range old.Tasks {
		arns = append(arns, model.TaskARN(old.Scope, old.Cluster, id))
		if task, ok := t.Tasks.Get(model.TaskKey(old.Scope, old.Cluster, id)); ok {
			r.placed = append(r.placed, task)
		}
	}
	if old.Fingerprint != r.token.Fingerprint {
		e := model.Errorf("ConflictException", "The RunTask request could not be processed due to conflicts. The provided "+
			"clientToken is already in use with a different RunTask request. The resourceIds are the existing task ARNs "+
			"which are already associated with the clientToken.") // [D]
		e.Fields = map[string]any{"resourceIds": arns}
		return false, e
	}
	return true, nil
}
