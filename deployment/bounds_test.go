package deployment_test

import (
	"fmt"
	"testing"

	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
)

// SEMANTICS §8.2 [D]: the minimum is rounded up, the maximum down.
func TestBounds(t *testing.T) {
	for _, c := range []struct {
		kind             string
		desired          int32
		min, max         *int32
		minimum, maximum int
	}{
		{model.SchedulingReplica, 4, percent(50), percent(200), 2, 8},
		{model.SchedulingReplica, 1, percent(100), percent(200), 1, 2},
		{model.SchedulingReplica, 3, percent(100), percent(125), 3, 3},
		{model.SchedulingReplica, 10, percent(75), percent(110), 8, 11},
		{model.SchedulingReplica, 2, percent(75), nil, 2, 4},
		{model.SchedulingReplica, 3, nil, nil, 3, 6},
		{model.SchedulingReplica, 0, nil, nil, 0, 0},
		{model.SchedulingDaemon, 3, nil, nil, 0, 3},
	} {
		w := newWorld(t)
		s := &w.service
		s.Scheduling, s.Desired = c.kind, c.desired
		s.Settings.DeploymentConfiguration.MinimumHealthyPercent, s.Settings.DeploymentConfiguration.MaximumPercent = c.min, c.max
		if minimum, maximum := deployment.Bounds(s); minimum != c.minimum || maximum != c.maximum {
			t.Errorf("%+v: %d to %d", c, minimum, maximum)
		}
	}
}

// SEMANTICS §10 [D].
func TestComputedDesired(t *testing.T) {
	got := fmt.Sprint(deployment.ComputedDesired(5, 30), deployment.ComputedDesired(5, 100), deployment.ComputedDesired(10, 10), deployment.ComputedDesired(10, 0),
		deployment.ComputedDesired(1000, 0.1), deployment.ComputedDesired(3, 33.4))
	if want := "2 5 1 0 1 2"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}
