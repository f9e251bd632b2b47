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
	ActionType       string     `json:"ActionType"`
	ActionParameters Parameters `json:"ActionParameters"`
}

// Actions.
const (
	ActionSession = "SessionType"
	ActionEncrypt = "KMSEncryption" // get a key from KMS, and encrypt with it what Sealed says
)

// Parameters are those of an action.
type Parameters struct {
	SessionType string `json:"SessionType,omitempty"`
	Properties  any    `json:"Properties,omitempty"`
	KMSKeyID    string `json:"KMSKeyId,omitempty"`
}

// KeyContext is the encryption context of a session's key in KMS.
func KeyContext(session, target string) map[string]string {
	return map[string]string{"aws:ssm:SessionId": session, "aws:ssm:TargetId": target}
}

// SessionKey is the ActionResult of ActionEncrypt: the key as KMS encrypted it.
type SessionKey struct {
	Blob []byte `json:"KMSCipherTextKey"`
}

// Challenge is the payload of ChallengeRequest, sealed by the node, and of ChallengeResponse: the same, sealed by the client.
type Challenge struct {
	Challenge []byte `json:"Challenge"`
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

// Result is what came of an action, nil if nothing did.
func (r *Response) Result(action string) json.RawMessage {
	for _, p := range r.ProcessedClientActions {
		if p.ActionType == action {
			return p.ActionResult
		}
	}
	return nil
}

// EncryptWith is the key of KMS with which the session is to be encrypted, "" if it is not.
func (r *Request) EncryptWith() string {
	for _, a := range r.RequestedClientActions {
		if a.ActionType == ActionEncrypt {
			return a.ActionParameters.KMSKeyID
		}
	}
	return ""
}

// Agree answers a request. Key is the session's key as KMS encrypted it, nil if the session is not to be encrypted.
func (r *Request) Agree(version string, key []byte) *Response {
	out := &Response{ClientVersion: version}
	for _, a := range r.RequestedClientActions {
		p := Processed{ActionType: a.ActionType, ActionStatus: actionDone}
		if a.ActionType == ActionEncrypt {
			p.ActionResult, _ = json.Marshal(SessionKey{Blob: key}) // bytes always marshal
		}
		out.ProcessedClientActions = append(out.ProcessedClientActions, p)
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
