package session_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/session"
	"github.com/roadstead/roadstead/state"
)

// withRoles gives the definition a task role and an execution role.
func (w *world) withRoles(own, execution string) {
	w.update(func(tx *state.Tx) {
		d, _ := tx.Definition(scope, "web:1")
		row := *d
		row.Spec.TaskRoleArn, row.Spec.ExecutionRoleArn = &own, &execution
		tx.Definitions.Put(&row)
	})
}

func (a *agent) payload() acs.Task {
	a.w.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.last.(*acs.PayloadMessage)
	if !ok || len(p.Tasks) == 0 {
		a.w.Fatalf("the last message is %T", a.last)
	}
	return p.Tasks[0]
}

// [O] Credentials of both roles come with the task, and newer ones before they are over (AGENT-PROTOCOL §1.2).
func TestRoleCredentials(t *testing.T) {
	inWorld(t, func(w *world) {
		w.withRoles("app", "exec")
		w.run("i1", "t1")
		a := w.connect("i1")
		a.wants("the task", "manifest t1:RUNNING, payload t1:RUNNING")
		p := a.payload()
		if p.RoleCredentials == nil || p.ExecutionRole == nil {
			t.Fatalf("payload without credentials: %+v", p)
		}
		w.want("its role", p.RoleCredentials.AccessKeyID, "app-1")
		w.want("the execution role", p.ExecutionRole.AccessKeyID, "exec-2")
		a.ack()
		a.send(acs.IAMRoleCredentialsAckRequest{CredentialsID: p.RoleCredentials.CredentialsID})
		renewed := func(d time.Duration) string {
			time.Sleep(d)
			synctest.Wait()
			var kept []string
			for s := range strings.SplitSeq(a.heard(), ", ") {
				if s != "beat" && s != "" {
					kept = append(kept, s)
				}
			}
			slices.Sort(kept)
			return strings.Join(kept, ", ")
		}
		w.want("not before they are old", renewed(39*time.Minute), "")
		w.want("both", renewed(2*time.Minute), "TaskApplication t1 app-3, TaskExecution t1 exec-4")
		w.want("again", renewed(40*time.Minute), "TaskApplication t1 app-5, TaskExecution t1 exec-6")
		w.change("t1", func(t *model.Task) { t.Last = model.TaskStopped })
		w.want("a task that is over gets no more", renewed(90*time.Minute), "")
	})
}

// [D] A task whose role cannot be assumed does not start, and says so; one that runs is left alone, and asked for again.
func TestRoleThatCannotBeAssumed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.withRoles("app", "exec")
		w.run("i1", "t1", "t2")
		w.change("t2", func(t *model.Task) { t.Last, t.StartedAt = model.TaskRunning, 1 })
		var trusted atomic.Bool
		w.roles = func(r session.Role) (acs.RoleCreds, error) {
			if !trusted.Load() {
				return acs.RoleCreds{}, model.Errorf("AccessDenied", "no")
			}
			return acs.RoleCreds{CredentialsID: "x", AccessKeyID: r.ARN, Expiration: time.Now().Add(time.Hour).Format(time.RFC3339)}, nil
		}
		a := w.connect("i1")
		a.wants("only the one that runs", "manifest t1:RUNNING t2:RUNNING, payload t2:RUNNING")
		w.want("the other", w.statuses(), "t1:STOPPED t2:RUNNING")
		row, _ := w.db.Snapshot().Tasks.Get(model.TaskKey(scope, "c", "t1"))
		w.want("why", row.StopReason, "ECS was unable to assume the role 'app' that was provided for this task. Please verify that the role being passed "+
			"has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.")
		w.want("code", row.StopCode, model.StopTaskFailedToStart)
		if p := a.payload(); p.RoleCredentials != nil {
			t.Errorf("credentials %+v", p.RoleCredentials)
		}
		a.ack()
		a.heard()
		trusted.Store(true)
		time.Sleep(61 * time.Second)
		if got := a.heard(); !strings.Contains(got, "TaskApplication t2 app") {
			t.Errorf("a minute later: %s", got)
		}
	})
}
