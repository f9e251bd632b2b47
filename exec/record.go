package exec

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Detail types of the events that are the records of sessions (docs/decisions/015). AWS has none: there CloudTrail knows.
const (
	DetailOpened = "Roadstead Exec Session Opened"
	DetailEnded  = "Roadstead Exec Session Ended"
)

// opening is the detail of DetailOpened.
type opening struct {
	SessionID     string   `json:"sessionId"`
	TaskArn       string   `json:"taskArn"`
	ContainerName string   `json:"containerName"`
	RuntimeID     string   `json:"runtimeId,omitempty"`
	Command       []string `json:"command"`
	Forward       string   `json:"forward,omitempty"` // host:port of a session that carries connections
	Principal     string   `json:"principal"`
	Interactive   bool     `json:"interactive"`
}

// ending is the detail of DetailEnded.
type ending struct {
	SessionID     string       `json:"sessionId"`
	TaskArn       string       `json:"taskArn"`
	ContainerName string       `json:"containerName"`
	Command       []string     `json:"command"`
	Forward       string       `json:"forward,omitempty"` // host:port of a session that carried connections
	Principal     string       `json:"principal"`
	StartedAt     model.Millis `json:"startedAt"` // 0: the command never ran
	EndedAt       model.Millis `json:"endedAt"`
	BytesIn       int64        `json:"bytesIn"`
	BytesOut      int64        `json:"bytesOut"`
	ExitCode      *int32       `json:"exitCode"` // null: the command was not seen to end
	Reason        string       `json:"reason"`
	// Transcript is nil if the cluster's configuration wants none.
	Transcript *acs.ExecTranscript `json:"transcript,omitempty"`
}

// opened keeps the record that a session was asked for: a node that dies tells no end.
func (e *Exec) opened(ctx context.Context, r Request, c *model.Container, id string, args []string) error {
	detail := opening{
		SessionID: id, TaskArn: r.Task.ARN(), ContainerName: c.Name, RuntimeID: c.RuntimeID, Command: args, Principal: r.Principal, Interactive: r.Terminal,
	}
	if r.Port != nil {
		detail.Forward = r.Port.String()
	}
	return e.keep(ctx, r.Task, id, DetailOpened, e.cfg.Now().UnixMilli(), detail)
}

// Ended keeps a node's record of a session of the task that is over. The same record may come twice.
func (e *Exec) Ended(ctx context.Context, t *model.Task, m *acs.RoadsteadExecEnded) error {
	return e.keep(ctx, t, m.SessionID, DetailEnded, m.EndedAt, ending{
		SessionID: m.SessionID, TaskArn: m.TaskArn, ContainerName: m.Container, Command: m.Command, Forward: m.Forward, Principal: m.Principal,
		StartedAt: m.StartedAt, EndedAt: m.EndedAt, BytesIn: m.BytesIn, BytesOut: m.BytesOut, ExitCode: m.ExitCode, Reason: m.Reason,
		Transcript: m.Transcript,
	})
}

// keep logs a record and stores it as an event, whose key follows from the session.
func (e *Exec) keep(ctx context.Context, t *model.Task, session, kind string, at model.Millis, detail any) error {
	b, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("record a session: %w", err)
	}
	e.cfg.Log.Info("audit", "event", kind, "detail", string(b))
	row := model.Event{
		Scope: t.Scope, ID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(kind+" "+session)).String(), At: at,
		DetailType: kind, Resources: []string{t.ARN()}, Detail: string(b),
	}
	return e.cfg.DB.Update(ctx, func(tx *state.Tx) error { tx.Events.Put(&row); return nil })
}
