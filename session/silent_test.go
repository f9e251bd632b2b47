package session_test

import (
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

func TestHeartbeats(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.connect("i1")
		a.heard()
		time.Sleep(19 * time.Second)
		a.wants("before 20 s", "")
		time.Sleep(time.Second)
		a.wants("after 20 s", "beat")
		time.Sleep(10 * time.Minute)
		if !a.connected() {
			w.Error("an agent that answers was dropped")
		}
	})
}

func TestAgentThatAnswersNoHeartbeatIsDropped(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.connect("i1")
		a.hush()
		a.heard()
		time.Sleep(79 * time.Second)
		a.wants("three chances", "beat, beat, beat")
		w.want("still connected", a.connected(), true)
		time.Sleep(2 * time.Second)
		w.want("still connected, without an ack", a.connected(), false)
		w.want("connected agents", w.sessions.Connected(), 0)
	})
}

// A peer that does not even read holds nobody up for long: the write gives up, and with it the session.
func TestAgentThatDoesNotReadIsDropped(t *testing.T) {
	inWorld(t, func(w *world) {
		ws, _, err := w.upgrade("/ws", account, url.Values{"containerInstanceArn": {model.InstanceARN(scope, "c", "i1")}})
		if err != nil {
			w.Fatal(err)
		}
		defer func() { _ = ws.CloseNow() }()
		synctest.Wait()
		w.want("connected", w.sessions.Connected(), 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		w.want("connected", w.sessions.Connected(), 0)
	})
}

// SEMANTICS §8.9: an instance counts as connected for 60 s after its agent fell silent.
func TestAgentConnected(t *testing.T) {
	inWorld(t, func(w *world) {
		w.want("at first", w.instance("i1").AgentConnected, false)
		a := w.connect("i1")
		w.want("with its agent", w.instance("i1").AgentConnected, true)
		w.want("version of the agent", w.instance("i1").AgentVersion, "1.105.1")
		version := w.instance("i1").Version
		left := time.Now().UnixMilli()
		a.leave()
		time.Sleep(59 * time.Second)
		w.want("in the grace", w.instance("i1").AgentConnected, true)
		w.want("in the grace, away since", w.instance("i1").DisconnectedAt, model.Millis(0))
		time.Sleep(2 * time.Second)
		w.want("after the grace", w.instance("i1").AgentConnected, false)
		w.want("away since", w.instance("i1").DisconnectedAt, left)
		w.want("version of the row", w.instance("i1").Version, version+1)
		time.Sleep(time.Hour)
		w.want("away since, later", w.instance("i1").DisconnectedAt, left)
		w.connect("i1")
		w.want("back again", w.instance("i1").AgentConnected, true)
		w.want("back again, away since", w.instance("i1").DisconnectedAt, model.Millis(0))
	})
}

func TestAgentThatComesBackInTimeWasNeverAway(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.connect("i1")
		version := w.instance("i1").Version
		for range 5 {
			a.leave()
			time.Sleep(40 * time.Second)
			a = w.connect("i1")
		}
		time.Sleep(2 * time.Minute)
		w.want("connected", w.instance("i1").AgentConnected, true)
		w.want("version of the row", w.instance("i1").Version, version)
	})
}

// A new leader gives every instance that the old one left connected a grace of its own.
func TestNewLeaderExpectsAllAgents(t *testing.T) {
	inWorld(t, func(first *world) {
		second := newMember(first.T, first.store)
		stays, leaves := first.connect("i1"), first.connect("i2")
		first.want("the second member leads", second.db.Leading(), false)
		first.store.Depose()
		first.awaitLead(second)

		// The old leader sends its agents away within their grace: i1 comes to the new one, i2 never does.
		time.Sleep(25 * time.Second)
		first.want("agents at the old leader", first.sessions.Connected(), 0)
		first.want("dropped", stays.connected() || leaves.connected(), false)
		second.connect("i1")
		time.Sleep(30 * time.Second)
		first.want("i2 in its grace", second.instance("i2").AgentConnected, true)
		time.Sleep(10 * time.Second)
		first.want("i1 at the new leader", second.instance("i1").AgentConnected, true)
		first.want("i2 after its grace", second.instance("i2").AgentConnected, false)
	})
}

// A member that leads a second time begins the graces anew: what was silent in its first term may be here.
func TestLeaderOfASecondTerm(t *testing.T) {
	inWorld(t, func(first *world) {
		first.connect("i1").leave() // silent here, from now on
		second := newMember(first.T, first.store)
		first.store.Depose()
		first.awaitLead(second)
		second.connect("i1")
		second.connect("i2")
		time.Sleep(10 * time.Minute)
		second.store.Depose()
		second.awaitLead(first)
		time.Sleep(50 * time.Second)
		first.want("i1 in its new grace", first.instance("i1").AgentConnected, true)
		first.want("i2 in its grace", first.instance("i2").AgentConnected, true)
		first.connect("i1")
		time.Sleep(time.Minute)
		first.want("i1 is here", first.instance("i1").AgentConnected, true)
		first.want("i2 stayed away", first.instance("i2").AgentConnected, false)
	})
}

// awaitLead waits until the other member leads, deposing this one as often as it gets in first.
func (w *world) awaitLead(next *world) {
	w.Helper()
	for range 100 {
		synctest.Wait()
		if next.db.Leading() {
			return
		}
		w.store.Depose()
		time.Sleep(time.Millisecond)
	}
	w.Fatal("the other member never leads")
}

func TestRefusals(t *testing.T) {
	const other = "999999999999"
	inWorld(t, func(w *world) {
		w.update(func(tx *state.Tx) {
			tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: "gone", Status: model.InstanceInactive})
			tx.Instances.Put(&model.Instance{Scope: model.Scope{Account: other, Region: scope.Region}, Cluster: "c", ID: "theirs", Status: model.InstanceActive})
		})
		unknown := `400 {"InvalidInstanceException":"The container instance is not registered."}`
		inactive := `400 {"InactiveInstanceException":"The container instance is inactive."}`
		theirs := model.InstanceARN(model.Scope{Account: other, Region: scope.Region}, "c", "theirs")
		for _, c := range []struct{ name, account, arn, want string }{
			{"unknown", account, model.InstanceARN(scope, "c", "nobody"), unknown},
			{"no ARN", account, "", unknown},
			{"not an instance", account, model.TaskARN(scope, "c", "i1"), unknown},
			{"INACTIVE", account, model.InstanceARN(scope, "c", "gone"), inactive},
			{"another account's", account, theirs, unknown},
			{"as another account", other, model.InstanceARN(scope, "c", "i1"), unknown},
			{"without a principal", "", model.InstanceARN(scope, "c", "i1"), `400 {"AccessDeniedException":"no principal"}`},
			{"its own", other, theirs, "accepted"},
		} {
			w.want("ACS, "+c.name, w.refusal("/ws", c.account, url.Values{"containerInstanceArn": {c.arn}}), c.want)
			w.want("TCS, "+c.name, w.refusal("/tcs/ws", c.account, url.Values{"containerInstance": {c.arn}}), c.want)
		}
	})
}
