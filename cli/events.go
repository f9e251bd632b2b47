package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/client"
)

func newEvents() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Print what services did, and with --follow what happens to tasks and nodes",
		Long: `Print the events that Amazon ECS sends to EventBridge. Those of services and deployments are kept for a day; those of
tasks and container instances are told as they happen, with --follow. What AWS keeps in CloudTrail is here, too, for a
day: sessions of exec, and pulls of the account's images by other accounts.`,
		Example: `  roadstead events --since 10m
  roadstead events --follow
  roadstead events --follow --json | jq 'select(.detail.stopCode == "TaskFailedToStart")'`,
		Args: cobra.NoArgs,
	}
	connect := connectFlags(cmd)
	f := cmd.Flags()
	since := f.Duration("since", time.Hour, "how far back")
	follow := f.BoolP("follow", "f", false, "wait for more")
	asJSON := f.Bool("json", false, "print each event as a line of JSON, as EventBridge delivers it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		x := eventPrinter{client: c, follow: *follow, json: *asJSON, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), since: time.Now().Add(-*since).UnixMilli()}
		err = x.run(cmd.Context())
		if err == nil && x.printed == 0 && !*follow {
			fmt.Fprintf(cmd.ErrOrStderr(), "No events of services in the last %s. Those of tasks and nodes are told with --follow only.\n", *since)
		}
		return err
	}
	return cmd
}

// eventPrinter prints events as they come.
type eventPrinter struct {
	client         *client.Client
	follow, json   bool
	stdout, stderr io.Writer
	since          int64 // ms; once there are events, the time of the last

	printed int
	last    []string // ids of the events of that time
}

// followPause is how long a follower waits for the control plane to come back.
const followPause = time.Second

// run prints events until there are no more. With follow there always are: a control plane that goes away, or whose leader changes, is
// asked again. What tasks and nodes did meanwhile is not told.
func (x *eventPrinter) run(ctx context.Context) error {
	broke, said := false, false
	for {
		err := x.stream(ctx)
		broke = broke || err == nil || errors.Is(err, io.ErrUnexpectedEOF)
		switch {
		case x.follow && ctx.Err() != nil:
			return nil // interrupted: not a failure
		case !x.follow, !broke:
			return err
		case err != nil && !said:
			fmt.Fprintf(x.stderr, "roadstead: %s\nTrying again until it answers, or Ctrl-C.\n", explain(err))
			said = true
		}
		_ = pause(ctx, followPause)
	}
}

// stream prints the events of one answer.
func (x *eventPrinter) stream(ctx context.Context) error {
	lines, in := io.Pipe()
	shown := make(chan error, 1)
	go func() {
		err := x.print(lines)
		lines.CloseWithError(err)
		shown <- err
	}()
	q := url.Values{"since": {strconv.FormatInt(x.since, 10)}, "follow": {strconv.FormatBool(x.follow)}}
	err := x.client.Do(ctx, "GET", "/roadstead/v1/events?"+q.Encode(), nil, in)
	in.Close()
	if broken := <-shown; broken != nil {
		return broken
	}
	return err
}

// print prints events, each a line of JSON, but for those that were printed before the connection broke.
func (x *eventPrinter) print(lines io.Reader) error {
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var e ecs.Event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			return err
		}
		if slices.Contains(x.last, e.ID) {
			continue
		}
		if at, err := time.Parse(time.RFC3339, e.Time); err == nil && at.UnixMilli() > x.since {
			x.since, x.last = at.UnixMilli(), nil
		}
		x.last = append(x.last, e.ID)
		x.printed++
		text := scanner.Text()
		if !x.json {
			text = eventRow(&e)
		}
		if _, err := fmt.Fprintln(x.stdout, text); err != nil {
			return err
		}
	}
	return scanner.Err()
}

// eventRow says in a line what happened: when, to what, and what.
func eventRow(e *ecs.Event) string {
	var d struct {
		EventType, EventName, Reason, DeploymentID                string // of services
		LastStatus, DesiredStatus, StopCode, StoppedReason, Group string // of tasks
		Status                                                    string // of instances
		AgentConnected                                            *bool
		execDetail
		PrincipalAccount, ImageDigest, ImageTag string // of pulls by other accounts
	}
	_ = json.Unmarshal(e.Detail, &d) // what is not there is not shown
	subject := ""
	if len(e.Resources) > 0 {
		subject = e.Resources[0][strings.LastIndexByte(e.Resources[0], ':')+1:]
	}
	what := ""
	switch {
	case d.SessionID != "":
		what = d.row()
	case d.PrincipalAccount != "":
		what = fmt.Sprintf("%s %s pulled by account %s: %s", d.ImageTag, d.ImageDigest, d.PrincipalAccount, d.Principal)
	case d.EventName != "":
		what = strings.TrimSpace(d.EventType + " " + d.EventName + " " + d.DeploymentID + " " + d.Reason)
	case d.AgentConnected != nil:
		what = d.Status + map[bool]string{true: ", agent connected", false: ", agent not connected"}[*d.AgentConnected]
	default:
		what = d.LastStatus
		if d.DesiredStatus != d.LastStatus {
			what += " (wanted " + d.DesiredStatus + ")"
		}
		if d.StopCode != "" {
			what += " " + d.StopCode + ": " + d.StoppedReason
		}
		what += " [" + d.Group + "]"
	}
	return fmt.Sprintf("%-24s  %s  %s", e.Time, subject, what)
}

// execDetail is what the records of exec sessions say.
type execDetail struct {
	SessionID, ContainerName, Principal string
	Command                             []string
	Forward                             string
	EndedAt, BytesIn, BytesOut          int64
	ExitCode                            *int
	Transcript                          *acs.ExecTranscript
}

func (d *execDetail) row() string {
	what := fmt.Sprintf("exec in %s by %s: %q", d.ContainerName, d.Principal, d.Command)
	if d.Forward != "" {
		what = fmt.Sprintf("connections from %s to %s by %s", d.ContainerName, d.Forward, d.Principal)
	}
	if d.EndedAt == 0 {
		return what
	}
	if d.Forward != "" {
		return fmt.Sprintf("%s ended: %d bytes in, %d out", what, d.BytesIn, d.BytesOut)
	}
	code := "none"
	if d.ExitCode != nil {
		code = strconv.Itoa(*d.ExitCode)
	}
	return fmt.Sprintf("%s ended: exit code %s, %d bytes in, %d out%s", what, code, d.BytesIn, d.BytesOut, transcriptAt(d.Transcript))
}

// transcriptAt says where a session's transcript is, and what is wrong with it.
func transcriptAt(t *acs.ExecTranscript) string {
	if t == nil {
		return ""
	}
	what := ", transcript"
	if t.Group != "" {
		what += " in " + t.Group + ":" + t.Stream
	}
	if t.Bucket != "" {
		what += " in s3://" + t.Bucket + "/" + t.Key
	}
	if t.Missed > 0 {
		what += fmt.Sprintf(" (without %d bytes)", t.Missed)
	}
	if t.Error != "" {
		what += " refused: " + t.Error
	}
	if t.Kept != "" {
		what += " (its node keeps it in " + t.Kept + ")"
	}
	return what
}
