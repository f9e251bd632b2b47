package logforward

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
)

// message is what CloudWatch Logs sends to the destinations of subscription filters [D].
type message struct {
	Type    string   `json:"messageType"`
	Owner   string   `json:"owner"`
	Group   string   `json:"logGroup"`
	Stream  string   `json:"logStream"`
	Filters []string `json:"subscriptionFilters"`
	Events  []event  `json:"logEvents"`
}

type event struct {
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"` // epoch milliseconds
	Message   string `json:"message"`
	// Extracted are the columns of a pattern in brackets [D].
	Extracted map[string]string `json:"extractedFields,omitempty"`
}

// control is what a new destination is tried with. Owner and text are AWS's [D], but for what a destination is.
func control(now int64) message {
	return message{Type: "CONTROL_MESSAGE", Owner: "CloudwatchLogs", Filters: []string{}, Events: []event{
		{Timestamp: now, Message: "CWL CONTROL MESSAGE: Checking health of destination URL."},
	}}
}

// pack is the message as it travels.
func (m *message) pack() (*bytes.Reader, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	e := json.NewEncoder(z)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return bytes.NewReader(b.Bytes()), nil
}
