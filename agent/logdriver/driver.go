// Package logdriver sends what containers write to where log drivers other than awslogs send it: syslog, GELF, Fluentd, Splunk and
// journald, with Docker's options, defaults and texts. A Driver is given lines in their order and says whether they have been taken;
// what has not been taken waits with whoever asked.
//
// It must not know where lines are kept, tasks, or containerd.
package logdriver

import (
	"context"
	"fmt"
	"time"
)

// Names of the drivers, as in logConfiguration.
const (
	AWSLogs  = "awslogs"
	JSONFile = "json-file"
	None     = "none"
	Syslog   = "syslog"
	GELF     = "gelf"
	Fluentd  = "fluentd"
	Splunk   = "splunk"
	Journald = "journald"
)

// Message is one line of a container, or a part of one that is long.
type Message struct {
	Line    string // without its "\n"
	Stream  string // "stdout" or "stderr"
	Time    time.Time
	Partial *Partial // nil: the line is whole
}

// Partial says which part of a line a message is.
type Partial struct {
	ID      string // of the line
	Ordinal int    // from 1
	Last    bool
}

// stderr is the stream of errors.
const stderr = "stderr"

// Driver sends the lines of one container. Its methods are called by one goroutine at a time. After an error of Connect or Send
// both may be called again.
type Driver interface {
	// Connect reaches the receiver, unless the driver is connected or its protocol does without.
	Connect(ctx context.Context) error
	// Send returns when the messages have been taken, as far as the protocol can tell; after an error all of them are to be sent
	// again. Without messages it looks after those before: what a connection that broke may have lost is sent again. Lines that no
	// receiver will ever take are a *Refusal.
	Send(ctx context.Context, messages []Message) error
	// Close lets go of the receiver.
	Close() error
}

// Refusal is the receiver's answer that it will not take the messages, now or later.
type Refusal struct{ Err error }

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

// Facts are what a driver tells of its container.
type Facts struct {
	ID      string            `json:"id"`   // the container's on its node
	Name    string            `json:"name"` // Docker's, without a slash
	Image   string            `json:"image"`
	ImageID string            `json:"imageId,omitempty"`
	Command string            `json:"command,omitempty"`
	Created time.Time         `json:"created,omitzero"`
	Host    string            `json:"host"` // the node's name
	Extra   map[string]string `json:"extra,omitempty"`
}

// Sends says whether lines of the driver are sent by a Driver of this package.
func Sends(name string) bool {
	switch name {
	case Syslog, GELF, Fluentd, Splunk, Journald:
		return true
	}
	return false
}

// New makes a driver that is not connected. Errors are about its options, in Docker's words.
func New(name string, options map[string]string, f Facts) (Driver, error) {
	switch name {
	case Syslog:
		return newSyslog(options, f)
	case GELF:
		return newGELF(options, f)
	case Fluentd:
		return newFluentd(options, f)
	case Splunk:
		return newSplunk(options, f)
	case Journald:
		return newJournald(options, f)
	}
	return nil, fmt.Errorf("logger: no log driver named '%s' is registered", name)
}
