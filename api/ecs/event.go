package ecs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// Event is an event of source aws.ecs as EventBridge delivers it (SEMANTICS §14.2).
type Event struct {
	Version    string          `json:"version"` // "0"
	ID         string          `json:"id"`      // uuid
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"` // ISO 8601
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"` // ARNs
	Detail     json.RawMessage `json:"detail"`
}

// detailTypes of the events that follow from rows.
const (
	taskStateChange     = "ECS Task State Change"
	instanceStateChange = "ECS Container Instance State Change"
)

// EventsOf returns the events of the scope that follow from the changes of a revision, in their order, at being when it came:
// one for each version of a task or container instance, and those that services have stored. An event that is told again has
// the same id, so that a reader who starts over knows it.
func EventsOf(s model.Scope, r *state.Revision, at time.Time) ([]Event, error) {
	var out []Event
	for i := range r.Changes {
		e, err := eventOf(s, r.Snapshot.Tables, &r.Changes[i], at)
		if err != nil {
			return nil, err
		}
		if e != nil {
			out = append(out, *e)
		}
	}
	return out, nil
}

// StoredEvents returns the events that services of the scope have stored since a moment, the oldest first.
func StoredEvents(t *state.Tables, s model.Scope, since model.Millis) []Event {
	var out []Event
	from := (&model.Event{Scope: s, At: since}).Key()
	for e := range t.Events.From(s.Key(""), from) {
		out = append(out, *storedEvent(e))
	}
	return out
}

func eventOf(s model.Scope, t *state.Tables, c *state.Change, at time.Time) (*Event, error) {
	switch now := c.New.(type) {
	case *model.Task:
		old, _ := c.Old.(*model.Task)
		if now.Scope == s && (old == nil || old.Version != now.Version) {
			return taskEvent(t, now, at)
		}
	case *model.Instance:
		old, _ := c.Old.(*model.Instance)
		if now.Scope == s && !now.FargateOnly() && (old == nil || old.Version != now.Version || old.AgentConnected != now.AgentConnected) {
			return instanceEvent(t, now, at)
		}
	case *model.Event:
		if now.Scope == s {
			return storedEvent(now), nil
		}
	}
	return nil, nil
}

func storedEvent(e *model.Event) *Event {
	out := newEvent(e.Scope, e.ID, e.DetailType, time.UnixMilli(e.At), e.Resources, json.RawMessage(e.Detail))
	if strings.HasPrefix(e.DetailType, "Roadstead ") { // AWS has none like it
		out.Source = "roadstead"
	}
	return out
}

func taskEvent(t *state.Tables, task *model.Task, at time.Time) (*Event, error) {
	v := viewTask(t, task, false)
	v.Attachments = slices.Clone(v.Attachments)
	for i := range v.Attachments {
		if value(v.Attachments[i].Type) == model.AttachmentENI {
			v.Attachments[i].Type = text("eni") // as events spell it (MISSION trap 26)
		}
	}
	detail, err := eventDetail(&v, at)
	if err != nil {
		return nil, err
	}
	return newEvent(task.Scope, versionID(task.ARN(), task.Version), taskStateChange, at, []string{task.ARN()}, detail), nil
}

func instanceEvent(t *state.Tables, i *model.Instance, at time.Time) (*Event, error) {
	v := viewInstance(t, i, instanceDetail{})
	detail, err := eventDetail(&v, at)
	if err != nil {
		return nil, err
	}
	id := versionID(fmt.Sprint(i.ARN(), i.AgentConnected), i.Version)
	return newEvent(i.Scope, id, instanceStateChange, at, []string{i.ARN()}, detail), nil
}

// eventDetail is a task or an instance as it is shown, with the member that only events have.
func eventDetail[V types.Task | types.ContainerInstance](v *V, at time.Time) (json.RawMessage, error) {
	b, err := wire.MarshalEvent(v)
	if err != nil {
		return nil, err
	}
	updated, err := json.Marshal(isoTime(at))
	if err != nil {
		return nil, err
	}
	return slices.Concat(b[:len(b)-1], []byte(`,"updatedAt":`), updated, []byte("}")), nil
}

func newEvent(s model.Scope, id, detailType string, at time.Time, resources []string, detail json.RawMessage) *Event {
	return &Event{Version: "0", ID: id, DetailType: detailType, Source: "aws.ecs", Account: s.Account, Time: isoTime(at), Region: s.Region,
		Resources: resources, Detail: detail}
}

// versionID is the id of the event of one version of a row.
func versionID(what string, version int64) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, what, "#", version)).String()
}

func isoTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
