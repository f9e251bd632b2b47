package ecs

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// stopServiceDeployment asks for the end of a deployment that is under way (SEMANTICS §2.6): by ROLLBACK what ran before comes
// back; by ABORT, which is in no documentation, everything stays as it is [I].
func (a *api) stopServiceDeployment(ctx context.Context, in *sdk.StopServiceDeploymentInput) (*sdk.StopServiceDeploymentOutput, error) {
	var requested, reason string
	switch in.StopType {
	case "", types.StopServiceDeploymentStopTypeRollback:
		requested, reason = model.StateRollbackRequested, "Rollback requested by StopServiceDeployment." // [I]
	case types.StopServiceDeploymentStopTypeAbort:
		requested, reason = model.StateStopRequested, "Stop requested by StopServiceDeployment." // [I]
	default:
		return nil, invalid("Invalid stopType '%s'. Valid values: %v", in.StopType, in.StopType.Values()) // [I]
	}
	d, err := a.changeDeployment(ctx, in.ServiceDeploymentArn, func(d *model.Deployment) error {
		switch {
		case d.State == requested:
		case d.State != model.StatePending && d.State != model.StateInProgress:
			return errDeploymentConflict(d, "The service deployment cannot be stopped in its current state: %s.")
		default:
			d.State, d.StateReason, d.UpdatedAt = requested, reason, a.nowMillis()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.StopServiceDeploymentOutput{ServiceDeploymentArn: text(d.ARN())}, nil
}

// continueServiceDeployment answers a hook that waits for that (SEMANTICS §2.6, §9).
func (a *api) continueServiceDeployment(ctx context.Context, in *sdk.ContinueServiceDeploymentInput) (*sdk.ContinueServiceDeploymentOutput, error) {
	var answer, reason string
	switch in.Action {
	case "", types.DeploymentLifecycleHookActionContinue:
		answer = model.HookSucceeded
	case types.DeploymentLifecycleHookActionRollback:
		answer, reason = model.HookFailed, "Rollback requested by ContinueServiceDeployment." // [I]
	default:
		return nil, invalid("Invalid action '%s'. Valid values: %v", in.Action, in.Action.Values()) // [I]
	}
	d, err := a.changeDeployment(ctx, in.ServiceDeploymentArn, func(d *model.Deployment) error {
		if d.Ended() {
			return errDeploymentConflict(d, "The service deployment cannot be continued in its current state: %s.")
		}
		h := findHook(d, value(in.HookId))
		switch {
		case h == nil:
			return invalid("The lifecycle hook with hookId %s was not found in the current stage of the service deployment.", value(in.HookId)) // [I]
		case h.Status != model.HookAwaitingAction:
			return errDeploymentConflict(d, "The lifecycle hook does not wait for an action. The service deployment's state: %s.")
		}
		h.Status, h.Reason = answer, reason
		*d, _ = d.WithHook(*h)
		d.UpdatedAt = a.nowMillis()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.ContinueServiceDeploymentOutput{ServiceDeploymentArn: text(d.ARN())}, nil
}

// findHook returns a copy of the hook with the id in the deployment's stage, nil if there is none.
func findHook(d *model.Deployment, id string) *model.Hook {
	if d.Stage == nil {
		return nil
	}
	for _, h := range d.Stage.Hooks {
		if h.ID == id {
			return &h
		}
	}
	return nil
}

// errDeploymentConflict is the refusal of what the deployment's state does not allow; wordings [I].
func errDeploymentConflict(d *model.Deployment, format string) error {
	e := model.Errorf("ConflictException", format, d.State)
	e.Fields = map[string]any{"resourceIds": []string{d.ARN()}}
	return e
}

// changeDeployment changes the service deployment with the ARN and returns it.
func (a *api) changeDeployment(ctx context.Context, ref *string, change func(*model.Deployment) error) (*model.Deployment, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	var row *model.Deployment
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		_, old, err := findDeployment(tx.Tables, who.Scope(), value(ref))
		switch {
		case err != nil:
			return err
		case old == nil:
			return model.Errorf("ServiceDeploymentNotFoundException", "Service deployment not found.") // [I]
		}
		d := *old
		if err := change(&d); err != nil {
			return err
		}
		tx.Deployments.Put(&d)
		row = &d
		return nil
	})
	return row, err
}
