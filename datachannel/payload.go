package datachannel

import "encoding/json"

// Open is what a client sends first, as text: it shows the session's token.
type Open struct {
	MessageSchemaVersion string `json:"MessageSchemaVersion"`
	RequestID            string `json:"RequestId"`
	TokenValue           string `json:"TokenValue"`
	ClientID             string `json:"ClientId"`
	ClientVersion        string `json:"ClientVersion"`
}

// WindowSize is the size of the client's terminal, in characters.
type WindowSize struct {
	Cols uint32 `json:"cols"`
	Rows uint32 `json:"rows"`
}

// Session types: a terminal, or a port that is forwarded.
const (
	SessionInteractive = "InteractiveCommands"
	SessionPort        = "Port"
)

// PortProperties are the Properties of SessionPort. The plugin reads numbers as text, and listens as Type says.
type PortProperties struct {
	PortNumber      string `json:"portNumber"`
	LocalPortNumber string `json:"localPortNumber,omitempty"`
	Type            string `json:"type"` // LocalPortForwarding
}

// LocalPortForwarding makes the client listen. Its connections are streams of one smux session, whose bytes are the session's: the
// client opens them, and neither end keeps them alive.
const LocalPortForwarding = "LocalPortForwarding"

// Request is the payload of HandshakeRequest: what the client is asked to do before the session begins.
type Request struct {
	AgentVersion           string   `json:"AgentVersion"`
	RequestedClientActions []Action `json:"RequestedClientActions"`
}

// Action is one thing that is asked for.
type Action struct {
	ActionType       string     `json:"ActionType"` // "SessionType"
	ActionParameters Parameters `json:"ActionParameters"`
}

// Parameters are those of the action SessionType.
type Parameters struct {
	SessionType string `json:"SessionType"`
	Properties  any    `json:"Properties"`
}

// actionDone is the status of an action that the client has performed.
const actionDone = 1

// Response is the payload of HandshakeResponse.
type Response struct {
	ClientVersion          string      `json:"ClientVersion"`
	ProcessedClientActions []Processed `json:"ProcessedClientActions"`
	Errors                 []string    `json:"Errors"`
}

// Processed says what became of one action.
type Processed struct {
	ActionType   string          `json:"ActionType"`
	ActionStatus int             `json:"ActionStatus"`
	ActionResult json.RawMessage `json:"ActionResult"`
	Error        string          `json:"Error"`
}

// Refusal says why the client does not do what it was asked to; "" if it does.
func (r *Response) Refusal() string {
	for _, p := range r.ProcessedClientActions {
		if p.ActionStatus != actionDone {
			return p.ActionType + ": " + p.Error
		}
	}
	return ""
}

// Agree answers a request.
func (r *Request) Agree(version string) *Response {
	out := &Response{ClientVersion: version}
	for _, a := range r.RequestedClientActions {
		out.ProcessedClientActions = append(out.ProcessedClientActions, Processed{ActionType: a.ActionType, ActionStatus: actionDone})
	}
	return out
}

// Complete is the payload of HandshakeComplete.
type Complete struct {
	HandshakeTimeToComplete int64  `json:"HandshakeTimeToComplete"` // ns
	CustomerMessage         string `json:"CustomerMessage"`         // is printed
}

// Closed is the payload of ChannelClosed. The plugin prints Output behind the session's id.
type Closed struct {
	MessageID     string `json:"MessageId"`
	CreatedDate   string `json:"CreatedDate"`
	DestinationID string `json:"DestinationId"`
	SessionID     string `json:"SessionId"`
	MessageType   string `json:"MessageType"`
	SchemaVersion int    `json:"SchemaVersion"`
	Output        string `json:"Output"`
}

// ack is the payload of Acknowledge.
type ack struct {
	MessageType string `json:"AcknowledgedMessageType"`
	MessageID   string `json:"AcknowledgedMessageId"`
	Sequence    int64  `json:"AcknowledgedMessageSequenceNumber"`
	Sequential  bool   `json:"IsSequentialMessage"`
}
