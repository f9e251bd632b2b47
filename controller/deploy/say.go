package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
)

// news are the messages and events of one look, in their order.
type news struct {
	texts  []string
	events []deployment.Happening
}

// silence is how long the same cause is not told again (SEMANTICS §14.1) [D].
const silence = 6 * time.Hour

// suppressed reports whether a message that is said once has been said lately. Complaints that alternate are as one: only
// something else in between makes them news again.
func (v *view) suppressed(s *deployment.Said) bool {
	if !s.Once {
		return false
	}
	said := slices.Collect(v.tables.MessagesOf(v.Service))
	for _, m := range slices.Backward(said) {
		switch {
		case m.At <= v.Now-silence.Milliseconds():
			return false
		case m.Text == s.Text:
			return true
		case !complaint(s.Text) || !complaint(m.Text):
			return false
		}
	}
	return false
}

// complaint reports whether the message says what keeps the service from its steady state.
func complaint(text string) bool {
	return strings.Contains(text, " unable to ") || strings.Contains(text, " is not AZ balanced ")
}

// sayAll says what tasks are started and stopped for, or else what that has led to.
func (d *deed) sayAll(all []deployment.Said, led bool) {
	for i := range all {
		if s := &all[i]; concludes(s) == led {
			d.say(s)
		}
	}
}

// concludes reports whether the message is about what has been reached.
func concludes(s *deployment.Said) bool {
	return strings.HasSuffix(s.Text, " deployment completed.") || strings.HasSuffix(s.Text, " has reached a steady state.")
}

// say notes a message, and what happens with it, unless it is suppressed.
func (d *deed) say(s *deployment.Said) {
	if d.suppressed(s) || slices.Contains(d.news.texts, s.Text) {
		return
	}
	d.news.texts = append(d.news.texts, s.Text)
	if s.With != nil {
		d.happen(s.With)
	}
}

// tell notes a message about the service.
func (d *deed) tell(format string, args ...any) {
	d.say(d.named(&deployment.Said{Text: fmt.Sprintf(format, args...)}))
}

// named puts the service's name before the message.
func (d *deed) named(s *deployment.Said) *deployment.Said {
	s.Text = "(service " + d.Service.Name + ") " + s.Text
	return s
}

func (d *deed) happen(h *deployment.Happening) { d.news.events = append(d.news.events, *h) }

// tellStarted says which tasks have been started.
func (d *deed) tellStarted(s *deployment.Start, tasks []*model.Task) {
	switch replaced := min(s.Replaced, len(tasks)); {
	case len(tasks) == 0:
		return
	case s.Rebalances:
		d.tell("has started %d tasks in %s to AZ Rebalance: %s.", len(tasks), s.Zone, ids(tasks))
	case replaced > 0:
		d.tell("has started %d tasks: %s. Amazon ECS replaced %d tasks due to an unhealthy status.", len(tasks), ids(tasks), replaced)
	default:
		d.tell("has started %d tasks: %s.", len(tasks), ids(tasks))
	}
	d.happen(&deployment.Happening{Type: "INFO", Name: "TASKS_STARTED"})
}

// tellStopped says which RUNNING tasks have been stopped, and how many that did not run yet.
func (d *deed) tellStopped(s *deployment.Stop, running []*model.Task, zones map[string][]*model.Task, pending int) {
	switch {
	case s.Rebalances:
		for _, zone := range slices.Sorted(maps.Keys(zones)) {
			d.tell("has stopped %d running tasks in %s due to AZ rebalancing: %s.", len(zones[zone]), zone, ids(zones[zone]))
		}
	case len(running) > 0:
		d.tell("has stopped %d running tasks: %s.", len(running), ids(running))
	}
	if pending > 0 {
		d.tell("stopped %d pending tasks.", pending)
	}
	if len(running)+pending > 0 {
		d.happen(&deployment.Happening{Type: "INFO", Name: "TASKS_STOPPED"})
	}
}

// ids are the tasks' ids as messages have them.
func ids(tasks []*model.Task) string {
	var b strings.Builder
	for i, t := range tasks {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("(task " + t.ID + ")")
	}
	return b.String()
}

// write writes the rows of messages and events. The oldest messages make place for the newest.
func (d *deed) write() {
	if len(d.news.texts) > 0 {
		d.writeMessages()
	}
	for i := range d.news.events {
		d.tx.Events.Put(d.event(&d.news.events[i]))
	}
}

func (d *deed) writeMessages() {
	number := int64(0)
	var have []*model.Message
	for m := range d.tx.Messages.Prefix(d.key + "/") { // those of an earlier service of the name, too: numbers go on
		have, number = append(have, m), m.Number
	}
	texts := d.news.texts
	if n := len(texts) - model.MaxMessages; n > 0 {
		texts = texts[n:]
	}
	for _, m := range have[:max(len(have)+len(texts)-model.MaxMessages, 0)] {
		d.tx.Messages.Delete(m.Key())
	}
	for i, text := range texts {
		d.tx.Messages.Put(&model.Message{Scope: d.Service.Scope, Cluster: d.Service.Cluster, Service: d.Service.Name,
			ID: d.NewUUID(), At: d.Now, Number: number + int64(i) + 1, Text: text})
	}
}

// detail is the detail of an event about a service (SEMANTICS §14.2).
type detail struct {
	EventType    string   `json:"eventType"`
	EventName    string   `json:"eventName"`
	ClusterARN   string   `json:"clusterArn,omitempty"`
	DeploymentID string   `json:"deploymentId,omitempty"`
	Providers    []string `json:"capacityProviderArns,omitempty"`
	Instances    []string `json:"containerInstanceArns,omitempty"`
	CreatedAt    string   `json:"createdAt,omitempty"`
	UpdatedAt    string   `json:"updatedAt,omitempty"`
	Reason       string   `json:"reason,omitempty"`
}

// event is the row of something that happened.
func (d *deed) event(h *deployment.Happening) *model.Event {
	s := d.Service
	e := &model.Event{Scope: s.Scope, ID: d.NewUUID(), At: d.Now, DetailType: "ECS Service Action", Resources: []string{s.ARN()}}
	now := time.UnixMilli(d.Now).UTC().Format("2006-01-02T15:04:05.000Z")
	v := detail{EventType: h.Type, EventName: h.Name, Reason: h.Reason}
	switch {
	case h.Deployment == "":
		v.ClusterARN, v.CreatedAt, v.Providers = model.ClusterARN(s.Scope, s.Cluster), now, h.Providers
		for _, id := range h.Instances {
			v.Instances = append(v.Instances, model.InstanceARN(s.Scope, s.Cluster, id))
		}
	case h.Hook != nil:
		return d.hookEvent(e, h, now)
	default:
		e.DetailType = "ECS Deployment State Change"
		v.DeploymentID, v.UpdatedAt = model.DeploymentName(h.Deployment), now
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is made of texts
	}
	e.Detail = string(b)
	return e
}

// hookDetail is the detail of an event about a lifecycle hook [D].
type hookDetail struct {
	EventType     string `json:"eventType"`
	EventName     string `json:"eventName"`
	Hook          string `json:"hookId"`
	HookType      string `json:"hookType"`
	ExpiresAt     string `json:"expiresAt"`
	Stage         string `json:"lifecycleStage"`
	ClusterARN    string `json:"clusterArn"`
	ServiceARN    string `json:"serviceArn"`
	DeploymentARN string `json:"serviceDeploymentArn"`
	UpdatedAt     string `json:"updatedAt"`
}

// hookEvent makes the event one about a hook.
func (d *deed) hookEvent(e *model.Event, h *deployment.Happening, now string) *model.Event {
	s := d.Service
	v := hookDetail{EventType: h.Type, EventName: h.Name, Hook: h.Hook.ID, HookType: "AWS_LAMBDA", Stage: h.Stage, ClusterARN: model.ClusterARN(s.Scope, s.Cluster),
		ServiceARN: s.ARN(), ExpiresAt: time.UnixMilli(h.Hook.ExpiresAt).UTC().Format(time.RFC3339), UpdatedAt: now}
	for _, row := range d.Deployments {
		if row.ID != h.Deployment {
			continue
		}
		v.DeploymentARN = row.ARN()
		if t := row.HookSpec(h.Hook).TargetType; t != "" {
			v.HookType = string(t)
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is made of texts
	}
	e.DetailType, e.Resources, e.Detail = "ECS Hook State Change", []string{v.DeploymentARN}, string(b)
	return e
}
