package reap_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// service puts a service with a deployment of f:1, a task set and a message, each made at a moment.
func putService(tx *state.Tx, name, status string, created, ended model.Millis) {
	tx.Services.Put(&model.Service{Scope: scope, Cluster: "c", Name: name, Status: status, CreatedAt: created, InactiveAt: ended})
	putBelongings(tx, name, created)
}

func putBelongings(tx *state.Tx, service string, at model.Millis) {
	id := model.NewDeploymentID(at, 7)
	tx.Deployments.Put(&model.Deployment{Scope: scope, Cluster: "c", Service: service, ID: id, Status: model.DeploymentPrimary})
	tx.Revisions.Put(&model.Revision{Scope: scope, Cluster: "c", Service: service, ID: id, Definition: service + ":1"})
	tx.TaskSets.Put(&model.TaskSet{Scope: scope, Cluster: "c", Service: service, ID: id})
	tx.Messages.Put(&model.Message{Scope: scope, Cluster: "c", Service: service, At: at, Number: at, Text: fmt.Sprint(at)})
}

// A deleted service is shown for a while [D] (MISSION trap 25), and then goes with all that is its own; a new one of the name
// keeps what is its own, and a living one everything.
func TestServicesGo(t *testing.T) {
	now := time.UnixMilli(10 * 3600 * 1000)
	old, fresh := now.Add(-2*time.Hour).UnixMilli(), now.Add(-time.Minute).UnixMilli()
	left, wake := reaped(t, now, 100, func(tx *state.Tx) {
		putService(tx, "gone", model.ServiceInactive, 1000, old)
		putService(tx, "lately", model.ServiceInactive, 2000, fresh)
		putBelongings(tx, "new", 3000)
		putService(tx, "new", model.ServiceActive, old, 0)
		putService(tx, "lives", model.ServiceActive, 4000, 0)
	})
	want := fmt.Sprintf("[service lately service lives service new deployment lately/%s deployment lives/%s deployment new/%s revision lately/%s revision lives/%s revision new/%s "+
		"set lately/%s set lives/%s set new/%s message lately/2000 message lives/4000 message new/%d]",
		number(2000), number(4000), number(old), number(2000), number(4000), number(old), number(2000), number(4000), number(old), old)
	if got := fmt.Sprint(left); got != want {
		t.Errorf("left %s\nwant %s", got, want)
	}
	if want := now.Add(59*time.Minute + time.Millisecond); !wake.Equal(want) { // "lately"
		t.Errorf("to be asked again at %v, want %v", wake, want)
	}
}

func number(at model.Millis) string { return model.NewDeploymentID(at, 7) }

// What belongs to a service goes before it, in whatever pieces.
func TestServicesGoLast(t *testing.T) {
	now := time.UnixMilli(10 * 3600 * 1000)
	for limit := 1; limit <= 5; limit++ {
		left, wake := reaped(t, now, limit, func(tx *state.Tx) { putService(tx, "gone", model.ServiceInactive, 1000, 1) })
		if len(left) != 5-limit || wake.After(now) || limit < 5 && left[0] != "service gone" {
			t.Errorf("with limit %d there is left %v, again at %v", limit, left, wake)
		}
	}
}

// Events go after a while, those of each account.
func TestEventsGo(t *testing.T) {
	now := time.UnixMilli(10 * 3600 * 1000)
	left, wake := reaped(t, now, 100, func(tx *state.Tx) {
		for n, account := range []string{"000000000000", "111111111111"} {
			for age := range 3 {
				at := now.Add(-time.Duration(age) * 50 * time.Minute).UnixMilli()
				tx.Events.Put(&model.Event{Scope: model.Scope{Account: account, Region: "us-east-1"}, ID: fmt.Sprint(n, age), At: at})
			}
		}
	})
	if got := fmt.Sprint(left); got != "[event 0 1 event 0 0 event 1 1 event 1 0]" || !wake.Equal(now.Add(10*time.Minute+time.Millisecond)) {
		t.Errorf("left %s, again at %v", got, wake)
	}
}
