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
		Target    string `json:"target"` // the container, as Session Manager names it
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
		// Log is where what the session shows is to be when it is over; nil: nowhere.
		Log *ExecLog `json:"log,omitempty"`
		// KMSKey is a key of KMS with which the session is encrypted between its client and the node, as the client names it, "" for
		// none; Target is the container as Session Manager names it.
		KMSKey string `json:"kmsKey,omitempty"`
		Target string `json:"target,omitempty"`
	}

	// ExecLog is a log group, a bucket, or both.
	ExecLog struct {
		Group  string `json:"group,omitempty"`
		Bucket string `json:"bucket,omitempty"`
		Prefix string `json:"prefix,omitempty"` // of the object's key: a folder
		// What is encrypted only may be used: there is no session if it is not.
		GroupEncrypted  bool `json:"groupEncrypted,omitempty"`
		BucketEncrypted bool `json:"bucketEncrypted,omitempty"`
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
		// Transcript is nil if nobody wished to have one.
		Transcript *ExecTranscript `json:"transcript,omitempty"`
	}

	// ExecTranscript says where the transcript of a session is, and what is missing.
	ExecTranscript struct {
		Group  string `json:"logGroup,omitempty"`
		Stream string `json:"logStream,omitempty"`
		Bucket string `json:"bucket,omitempty"`
		Key    string `json:"key,omitempty"`
		Bytes  int64  `json:"bytes"`
		Missed int64  `json:"notRecorded,omitempty"` // bytes that there was no room for
		Error  string `json:"error,omitempty"`       // why it is not everywhere where it should be
		Kept   string `json:"kept,omitempty"`        // then: where the node keeps it
	}

	// RoadsteadExecNoted acknowledges RoadsteadExecEnded.
	RoadsteadExecNoted struct {
		SessionID string `json:"sessionId"`
	}
)
