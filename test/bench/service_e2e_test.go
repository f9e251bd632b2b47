//go:build e2e

package bench_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// BenchmarkService scales services of real containers from 0 and rolls them, beside Docker's Swarm mode on the same machine.
// Each task has bridge networking and a port. Our tasks that are rolled have a health check, for without one ECS calls a task
// healthy after 40 s; those of Swarm have none, and count as soon as they run.
func BenchmarkService(b *testing.B) {
	n := startNode(b)
	peer := startSwarm(b, filepath.Join(n.dir, "sleeper.tar"))
	n.serve(b, 1) // pulls the image
	if peer != nil {
		peer.scale(1)
	}
	for _, count := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("scale-0-to-%d", count), func(b *testing.B) {
			ours := n.serve(b, count)
			b.ReportMetric(ours.Seconds(), "s")
			if peer != nil {
				compare(b, ours, peer.scale(count))
			}
		})
	}
	for _, c := range []struct{ count, at int }{{10, 1}, {50, 10}} {
		b.Run(fmt.Sprintf("roll-%d-by-%d", c.count, c.at), func(b *testing.B) {
			ours, phases := n.roll(b, c.count, c.at)
			b.ReportMetric(ours.Seconds(), "s")
			phases.report(b)
			if peer != nil {
				compare(b, ours, peer.roll(c.count, c.at))
			}
		})
	}
}

func compare(b *testing.B, ours, theirs time.Duration) {
	b.ReportMetric(theirs.Seconds(), "swarm-s")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio-to-swarm")
	b.ReportMetric(0, "ns/op")
}

// await waits until the service's rows are as wanted.
func (n *node) await(b *testing.B, name string, wanted func(*state.Snapshot, *model.Service) bool) {
	b.Helper()
	s, cursor := n.db.Watch()
	key := model.ServiceKey(model.Scope{Account: "000000000000", Region: region}, "default", name)
	began := time.Now()
	for {
		row, ok := s.Services.Get(key)
		if ok && wanted(s, row) {
			return
		}
		r, err := cursor.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if s = r.Snapshot; time.Since(began) > 3*time.Minute {
			b.Fatalf("service %s is %+v", name, row)
		}
	}
}

func (n *node) must(b *testing.B, op string, in any) {
	b.Helper()
	if err := n.client.Call(b.Context(), "ecs", op, in, nil); err != nil {
		b.Fatal(err)
	}
}

// runs says that so many tasks of the service are RUNNING, and no others are there.
func runs(count int) func(*state.Snapshot, *model.Service) bool {
	return func(s *state.Snapshot, row *model.Service) bool {
		running, all := 0, 0
		for t := range s.TasksOfService(row.Key()) {
			if all++; t.Last == model.TaskRunning && t.Desired == model.TaskRunning {
				running++
			}
		}
		return running == count && (count > 0 || all == 0)
	}
}

// serve measures 0 to count tasks.
func (n *node) serve(b *testing.B, count int) time.Duration {
	name := fmt.Sprint("s", count, "-", time.Now().UnixNano())
	n.must(b, "CreateService", map[string]any{"serviceName": name, "taskDefinition": "served", "desiredCount": 0})
	began := time.Now()
	n.must(b, "UpdateService", map[string]any{"service": name, "desiredCount": count})
	n.await(b, name, runs(count))
	took := time.Since(began)
	n.remove(b, name)
	return took
}

// roll measures an update of count tasks, at of them at a time: the old ones stop first, as Swarm's do.
func (n *node) roll(b *testing.B, count, at int) (time.Duration, phases) {
	least := 100 * (count - at) / count
	n.must(b, "CreateService", map[string]any{"serviceName": "roll", "taskDefinition": "checked", "desiredCount": count,
		"deploymentConfiguration": map[string]any{"minimumHealthyPercent": least, "maximumPercent": 100}})
	done := func(s *state.Snapshot, row *model.Service) bool {
		listed := 0
		for d := range s.DeploymentsOf(row) {
			if d.Status != model.DeploymentInactive {
				listed++
			}
			if d.Status == model.DeploymentPrimary && d.Rollout != model.RolloutCompleted {
				return false
			}
		}
		return listed == 1
	}
	n.await(b, "roll", done)
	p := phases{}
	began := time.Now()
	n.must(b, "UpdateService", map[string]any{"service": "roll", "forceNewDeployment": true})
	n.await(b, "roll", func(s *state.Snapshot, row *model.Service) bool {
		for t := range s.TasksOfService(row.Key()) {
			p.see(t)
		}
		for key := range p { // those that have stopped are of no concern to the service
			if t, ok := s.Tasks.Get(key); ok {
				p.see(t)
			}
		}
		return done(s, row)
	})
	took := time.Since(began)
	n.remove(b, "roll")
	return took, p
}

// phases are when each task of a service, by its key, was first seen in each of its phases.
type phases map[string]map[string]time.Time

func (p phases) see(t *model.Task) {
	seen := p[t.Key()]
	if seen == nil {
		seen = map[string]time.Time{}
		p[t.Key()] = seen
	}
	for phase, is := range map[string]bool{
		"wanted": true, "running": t.Last == model.TaskRunning, "healthy": t.Health == "HEALTHY",
		"unwanted": t.Desired == model.TaskStopped, "stopped": t.Last == model.TaskStopped,
	} {
		if _, known := seen[phase]; is && !known {
			seen[phase] = time.Now()
		}
	}
}

// report reports how long the median task took for each step of an update. What is left of the whole is decisions.
func (p phases) report(b *testing.B) {
	for name, step := range map[string][2]string{
		"stop-ms": {"unwanted", "stopped"}, "start-ms": {"wanted", "running"}, "healthy-ms": {"running", "healthy"},
	} {
		var took []time.Duration
		for _, seen := range p {
			from, to := seen[step[0]], seen[step[1]]
			if !from.IsZero() && to.After(from) {
				took = append(took, to.Sub(from))
			}
		}
		if slices.Sort(took); len(took) > 0 {
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, name)
		}
	}
}

// remove waits until the containers are gone, too.
func (n *node) remove(b *testing.B, name string) {
	n.must(b, "UpdateService", map[string]any{"service": name, "desiredCount": 0})
	n.await(b, name, runs(0))
	n.must(b, "DeleteService", map[string]any{"service": name})
	n.await(b, name, func(_ *state.Snapshot, s *model.Service) bool { return s.Status == model.ServiceInactive })
}
