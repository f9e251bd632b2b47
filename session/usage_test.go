package session_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

func figures(id string, cpu float64) acs.TaskMetrics {
	return acs.TaskMetrics{TaskArn: model.TaskARN(scope, "c", id), Containers: []acs.ContainerMetrics{{
		Name: "app", CPU: &acs.StatsSet{Min: cpu, Max: 2 * cpu, Sum: 3 * cpu, SampleCount: 2}, Memory: &acs.StatsSet{Max: 9, Sum: 16, SampleCount: 2},
		Network: &acs.NetworkStats{RxBytes: &acs.CountSet{Min: 1, Max: 100}, TxBytesPerSecond: &acs.StatsSet{Sum: 50, SampleCount: 5}},
		Storage: &acs.StorageStats{Written: &acs.CountSet{Max: 7}}, Restart: &acs.RestartStats{RestartCount: 4},
	}}}
}

// AGENT-PROTOCOL §1.3: usage comes over telemetry, of the node's own tasks only. The newest is kept while the task runs.
func TestUsageComesOverTelemetry(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1", "t2", "over")
		w.run("i2", "other")
		w.change("over", func(t *model.Task) { t.Last = model.TaskStopped })
		a := w.dial("/tcs/ws", "containerInstance", "i1")
		usage := func(id string) string {
			synctest.Wait()
			u := w.sessions.Usage(model.TaskKey(scope, "c", id))
			if u == nil {
				return "nothing"
			}
			return fmt.Sprintf("%+v", u.Containers)
		}
		revision := w.db.Snapshot().Revision
		a.send(acs.PublishMetricsRequest{TaskMetrics: []acs.TaskMetrics{figures("t1", 1), figures("t2", 1), figures("over", 1), figures("other", 1), figures("nobody", 1)}})
		a.send(acs.PublishMetricsRequest{Metadata: acs.TCSMetadata{Fin: true}, TaskMetrics: []acs.TaskMetrics{figures("t1", 10)}})
		w.want("t1", usage("t1"), "[{Name:app CPU:15 CPUMax:20 Memory:8 MemoryMax:9 Network:true Rx:100 Tx:0 RxRate:0 TxRate:10 Read:0 Written:7 Restarts:4}]")
		w.want("at", w.sessions.Usage(model.TaskKey(scope, "c", "t1")).At, time.Now().UnixMilli())
		w.want("a stopped task", usage("over"), "nothing")
		w.want("another node's task", usage("other"), "nothing")
		w.want("revisions that figures cost", w.db.Snapshot().Revision-revision, int64(0))
		a.wants("answers", "AckPublishMetric, AckPublishMetric")

		w.change("t1", func(t *model.Task) { t.Last = model.TaskStopped })
		w.update(func(tx *state.Tx) { tx.Tasks.Delete(model.TaskKey(scope, "c", "t2")) })
		w.want("a task that has stopped", usage("t1"), "nothing")
		w.want("a task that is gone", usage("t2"), "nothing")
	})
}

// What a node fetches for its tasks is known while it says so, and while it is connected.
func TestPullsAreToldOver(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1", "t2")
		w.run("i2", "other")
		pulls := func(id string) string { synctest.Wait(); return fmt.Sprint(w.sessions.Pulls(w.task(id))) }
		say := func(a *agent, ids ...string) {
			m := acs.RoadsteadPulls{}
			for i, id := range ids {
				m.Pulls = append(m.Pulls, acs.Pull{TaskArn: model.TaskARN(scope, "c", id), Container: "app", Done: int64(i), Total: 10})
			}
			a.send(m)
		}
		a, b := w.dial("/tcs/ws", "containerInstance", "i1"), w.dial("/tcs/ws", "containerInstance", "i2")
		say(a, "t1", "t2", "other")
		say(b, "other")
		w.want("t1", pulls("t1"), "[{"+model.TaskARN(scope, "c", "t1")+" app 0 10}]")
		w.want("t2", pulls("t2"), "[{"+model.TaskARN(scope, "c", "t2")+" app 1 10}]")
		w.want("another node's task, as its own node says", pulls("other"), "[{"+model.TaskARN(scope, "c", "other")+" app 0 10}]")
		say(a, "t2")
		w.want("t1, which is there", pulls("t1"), "[]")
		w.want("t2, which is next", pulls("t2"), "[{"+model.TaskARN(scope, "c", "t2")+" app 0 10}]")
		say(b)
		w.want("when nothing is fetched", pulls("other"), "[]")
		a.stop()
		w.want("when the node is away", pulls("t2"), "[]")
	})
}
