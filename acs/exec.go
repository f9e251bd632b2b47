package acs

import (
	"net"
	"strconv"
)

// String is host:port.
func (p *ExecPort) String() string {
	return net.JoinHostPort(p.Host, strconv.Itoa(int(p.Port)))
}

// ExecNodePath is where a node opens the websocket of a session that has a client: below it comes the session's id. It carries the
// binary frames of the client's data channel as they are.
const ExecNodePath = "/roadstead/v1/exec/"

// ExecRequest asks the control plane for a session for `roadstead exec`, and ExecGrant answers it.
type (
	ExecRequest struct {
		Cluster   string   `json:"cluster"`
		Container string   `json:"container,omitempty"` // "": the only one
		Command   []string `json:"command"`
		Terminal  bool     `json:"terminal"`
	}

	ExecGrant struct {
		SessionID string `json:"sessionId"`
		StreamURL string `json:"streamUrl"`
		Token     string `json:"token"`
	}
)

// Messages about sessions with commands in containers (SEMANTICS §13.8, docs/decisions/015), which only our own agent knows.
type (
	// RoadsteadOpenExec tells the agent of a session, which begins when its client comes.
	RoadsteadOpenExec struct {
		MessageID string   `json:"messageId"`
		SessionID string   `json:"sessionId"`
		TaskArn   string   `json:"taskArn"`
		Container string   `json:"container"`
		Command   []string `json:"command"`
		Terminal  bool     `json:"terminal"`
		Principal string   `json:"principal"` // ARN of who asked for it
		// Plain says that the client is Roadstead's own: it sends the end of its input as an empty piece, tells standard error
		// from output, and wants the exit code.
		Plain bool `json:"plain,omitempty"`
		// Port makes it a session without a command, which carries connections.
		Port *ExecPort `json:"port,omitempty"`
	}

	// ExecPort is what the connections of a session go to, seen from the container.
	ExecPort struct {
		Host      string `json:"host"` // "localhost" is the container itself
		Port      uint16 `json:"port"`
		LocalPort string `json:"localPort,omitempty"` // where the client listens, which only the client understands
	}

	// RoadsteadExecOpened answers RoadsteadOpenExec and RoadsteadAttachExec.
	RoadsteadExecOpened struct {
		MessageID string `json:"messageId"`
		Error     string `json:"error,omitempty"`
	}

	// RoadsteadAttachExec tells the agent that the session's client is there: it is to open a websocket at ExecNodePath.
	RoadsteadAttachExec struct {
		MessageID string `json:"messageId"`
		SessionID string `json:"sessionId"`
	}

	// RoadsteadEndExec ends a session and kills its command.
	RoadsteadEndExec struct {
		SessionID string `json:"sessionId"`
	}

	// RoadsteadExecEnded is the agent's record of a session that is over. It comes with every connection until it is noted.
	RoadsteadExecEnded struct {
		SessionID string   `json:"sessionId"`
		TaskArn   string   `json:"taskArn"`
		Container string   `json:"container"`
		Command   []string `json:"command"`
		Forward   string   `json:"forward,omitempty"` // host:port of a session that carried connections
		Principal string   `json:"principal"`
		StartedAt int64    `json:"startedAt"` // ms; 0 if the command never ran
		EndedAt   int64    `json:"endedAt"`   // ms
		BytesIn   int64    `json:"bytesIn"`   // to the command
		BytesOut  int64    `json:"bytesOut"`
		ExitCode  *int32   `json:"exitCode,omitempty"` // nil if the command was not seen to end by itself
		Reason    string   `json:"reason"`
	}

	// RoadsteadExecNoted acknowledges RoadsteadExecEnded.
	RoadsteadExecNoted struct {
		SessionID string `json:"sessionId"`
	}
)
