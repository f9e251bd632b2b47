package model_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// SEMANTICS §8.6 [D]: clamp(ceil(desired/2), 3, 200) unless configured otherwise; the worked numbers of MISSION §3.
func TestThreshold(t *testing.T) {
	configured := func(kind types.ThresholdType, value int32) *types.ThresholdConfiguration {
		return &types.ThresholdConfiguration{Type: kind, Value: value}
	}
	for _, c := range []struct {
		threshold     *types.ThresholdConfiguration
		desired, want int32
	}{
		{nil, 0, 3}, {nil, 1, 3}, {nil, 4, 3}, {nil, 7, 4}, {nil, 10, 5}, {nil, 1000, 200},
		{configured(types.ThresholdTypeBoundedPercent, 10), 10, 3}, {configured(types.ThresholdTypeBoundedPercent, 100), 50, 50},
		{configured(types.ThresholdTypeUnboundedPercent, 50), 1000, 500}, {configured(types.ThresholdTypeUnboundedPercent, 50), 3, 2},
		{configured(types.ThresholdTypeUnboundedPercent, 50), 0, 1}, {configured(types.ThresholdTypeCount, 7), 1000, 7},
	} {
		d := model.Deployment{Configuration: &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{ThresholdConfiguration: c.threshold}}}
		if got := d.Threshold(c.desired); got != c.want {
			t.Errorf("%+v of %d tasks: %d, not %d", c.threshold, c.desired, got, c.want)
		}
	}
	if got := (&model.Deployment{}).Threshold(4); got != 3 {
		t.Errorf("not configured: %d", got)
	}
}
