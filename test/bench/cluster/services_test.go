//go:build bench || e2e

package cluster_test

import (
	"context"
	"time"
)

// services scales a service out from 0 to a task for each node, and rolls one of up to a thousand tasks by a tenth. Their tasks
// have a health check, which the nodes report at once: what is measured is the control plane, not the rule of 40 s.
func (r *run) services(ctx context.Context) {
	must := func(op string, in any) {
		r.Helper()
		if err := r.client.Call(ctx, "ecs", op, in, nil); err != nil {
			r.Fatalf("%s: %v", op, err)
		}
	}
	checked := definition()
	checked["family"] = "checked"
	checked["containerDefinitions"].([]map[string]any)[0]["healthCheck"] = map[string]any{"command": []string{"CMD", "true"}}
	must("RegisterTaskDefinition", checked)

	n := *agents
	must("CreateService", map[string]any{"serviceName": "out", "taskDefinition": "checked", "desiredCount": 0})
	took, used := r.clock(func() {
		must("UpdateService", map[string]any{"service": "out", "desiredCount": n})
		r.await(ctx, "out", func(s *serviceView) bool { return s.RunningCount == n })
	})
	r.ReportMetric(took.Seconds(), "s-scale-out")
	r.Logf("a service scaled from 0 to %d tasks: RUNNING after %.2f s, %.0f a second, the server's processor time %s a task", n, took.Seconds(), float64(n)/took.Seconds(), each(used, n))
	took, _ = r.clock(func() {
		must("UpdateService", map[string]any{"service": "out", "desiredCount": 0})
		r.await(ctx, "out", func(s *serviceView) bool { return s.RunningCount == 0 })
	})
	r.Logf("and back to 0: %.2f s", took.Seconds())

	n = min(1000, 4**agents)
	must("CreateService", map[string]any{"serviceName": "roll", "taskDefinition": "checked", "desiredCount": n,
		"deploymentConfiguration": map[string]any{"minimumHealthyPercent": 90, "maximumPercent": 110}})
	r.await(ctx, "roll", (*serviceView).steady)
	took, used = r.clock(func() {
		must("UpdateService", map[string]any{"service": "roll", "forceNewDeployment": true})
		r.await(ctx, "roll", (*serviceView).steady)
	})
	r.ReportMetric(took.Seconds(), "s-roll")
	r.Logf("%d tasks rolled by a tenth: %.2f s, the server's processor time %s a task", n, took.Seconds(), each(used, n))
	for _, name := range []string{"out", "roll"} {
		must("DeleteService", map[string]any{"service": name, "force": true})
	}
}

// clock measures the time, and the server's processor time, that something takes.
func (r *run) clock(do func()) (took, used time.Duration) {
	began, before := time.Now(), r.server.cpu()
	do()
	return time.Since(began), r.server.cpu() - before
}

// serviceView is what DescribeServices says of a service.
type serviceView struct {
	DesiredCount, RunningCount int
	Deployments                []struct{ RolloutState string }
}

func (s *serviceView) steady() bool {
	return s.RunningCount == s.DesiredCount && len(s.Deployments) == 1 && s.Deployments[0].RolloutState == "COMPLETED"
}

// await polls the service until it is as wanted.
func (r *run) await(ctx context.Context, name string, wanted func(*serviceView) bool) {
	var out struct{ Services []serviceView }
	for began := time.Now(); time.Since(began) < 10*time.Minute; <-time.After(20 * time.Millisecond) {
		out.Services = nil
		if err := r.client.Call(ctx, "ecs", "DescribeServices", map[string]any{"services": []string{name}}, &out); err != nil {
			r.Fatal(err)
		}
		if len(out.Services) == 1 && wanted(&out.Services[0]) {
			return
		}
	}
	r.Fatalf("service %s is %+v", name, out.Services)
}
