package model

import "github.com/aws/aws-sdk-go-v2/service/ecs/types"

// States of a service deployment (SEMANTICS §3).
const (
	StatePending            = string(types.ServiceDeploymentStatusPending)
	StateInProgress         = string(types.ServiceDeploymentStatusInProgress)
	StateSuccessful         = string(types.ServiceDeploymentStatusSuccessful)
	StateStopRequested      = string(types.ServiceDeploymentStatusStopRequested)
	StateStopped            = string(types.ServiceDeploymentStatusStopped)
	StateRollbackRequested  = string(types.ServiceDeploymentStatusRollbackRequested)
	StateRollbackInProgress = string(types.ServiceDeploymentStatusRollbackInProgress)
	StateRollbackSuccessful = string(types.ServiceDeploymentStatusRollbackSuccessful)
	StateRollbackFailed     = string(types.ServiceDeploymentStatusRollbackFailed)
)

// Breaker is the deployment's circuit breaker: disabled if it has none.
func (d *Deployment) Breaker() (b types.DeploymentCircuitBreaker) {
	if d.Configuration != nil && d.Configuration.DeploymentCircuitBreaker != nil {
		b = *d.Configuration.DeploymentCircuitBreaker
	}
	return b
}

// Threshold is how many failures trip the deployment's circuit breaker if so many tasks are desired (SEMANTICS §8.6) [D]:
// half of them, but 3 at least and 200 at most, if nothing else is configured.
func (d *Deployment) Threshold(desired int32) int32 {
	t := types.ThresholdConfiguration{Type: types.ThresholdTypeBoundedPercent, Value: 50}
	if c := d.Breaker().ThresholdConfiguration; c != nil {
		t = *c
	}
	percentage := int32((int64(desired)*int64(t.Value) + 99) / 100)
	switch t.Type {
	case types.ThresholdTypeCount:
		return max(t.Value, 1)
	case types.ThresholdTypeUnboundedPercent:
		return max(percentage, 1)
	default:
		return min(max(percentage, 3), 200)
	}
}

// AlarmNames are the alarms that fail the deployment when they go off; none if they are not enabled.
func (d *Deployment) AlarmNames() []string {
	if d.Configuration == nil || d.Configuration.Alarms == nil || !d.Configuration.Alarms.Enable {
		return nil
	}
	return d.Configuration.Alarms.AlarmNames
}

// BakeMinutes is the deployment's bake time, 0 if none is configured.
func (d *Deployment) BakeMinutes() int32 {
	if d.Configuration == nil || d.Configuration.BakeTimeInMinutes == nil {
		return 0
	}
	return *d.Configuration.BakeTimeInMinutes
}

// EarlySuccess says how many percent of the desired tasks have to be healthy for the deployment to succeed before it is
// complete, and whether tasks of others may still be there then (SEMANTICS §8.8) [D]; ok is false if it has to be complete.
func (d *Deployment) EarlySuccess() (percent int32, deferred, ok bool) {
	if d.Configuration == nil || d.Configuration.EarlySuccessCriteria == nil || !d.Configuration.EarlySuccessCriteria.Enable {
		return 0, false, false
	}
	e := d.Configuration.EarlySuccessCriteria
	if e.HealthyPercent != nil {
		percent = *e.HealthyPercent
	}
	return percent, e.SourceServiceRevisionCleanup == types.ServiceRevisionCleanupDeferred, true
}
