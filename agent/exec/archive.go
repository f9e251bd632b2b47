package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

// Caller calls AWS's operations with the rights of a task's role. Refusals are *model.Error.
type Caller interface {
	Call(ctx context.Context, service, op string, in, out any) error
	PutObject(ctx context.Context, bucket, key string, body []byte) error
	// BucketEncrypted fails unless the bucket has a configuration of encryption that the role may see.
	BucketEncrypted(ctx context.Context, bucket string) error
}

// Why there is no session, in the words of AWS's agent, also for a role that may not look [O].
var (
	errGroupPlain  = errors.New("We couldn't start the session because encryption is not set up on the selected CloudWatch Logs log group. Either encrypt the log group or choose an option to enable logging without encryption.")
	errBucketPlain = errors.New("We couldn't start the session because encryption is not set up on the selected Amazon S3 bucket. Either encrypt the bucket or choose an option to enable logging without encryption.")
)

// checkEncrypted refuses a session whose transcript would go where it is to be encrypted, and would not be.
func checkEncrypted(ctx context.Context, who Caller, l *acs.ExecLog) error {
	if l.Group != "" && l.GroupEncrypted && !groupEncrypted(ctx, who, l.Group) {
		return errGroupPlain
	}
	if l.Bucket != "" && l.BucketEncrypted && who.BucketEncrypted(ctx, l.Bucket) != nil {
		return errBucketPlain
	}
	return nil
}

func groupEncrypted(ctx context.Context, who Caller, group string) bool {
	in := map[string]string{"logGroupNamePrefix": group}
	for {
		var out struct {
			LogGroups []struct{ LogGroupName, KmsKeyID string }
			NextToken string
		}
		if who.Call(ctx, "logs", "DescribeLogGroups", in, &out) != nil {
			return false
		}
		for _, g := range out.LogGroups {
			if g.LogGroupName == group {
				return g.KmsKeyID != ""
			}
		}
		if out.NextToken == "" {
			return false
		}
		in["nextToken"] = out.NextToken
	}
}

// put puts a transcript where it is to be, and says in the record where it is. It may be called again for one that is partly there. The
// error is that of somebody who could not be asked; who refuses stands in the record.
func put(ctx context.Context, who Caller, l *acs.ExecLog, file string, r *acs.RoadsteadExecEnded) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		r.Transcript.Error = "somebody has removed it from the node"
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a transcript: %w", err)
	}
	t := &acs.ExecTranscript{Bytes: int64(len(text)), Missed: r.Transcript.Missed}
	var refusals []string
	refused := func(err error) error {
		e, ok := refusal(err)
		if ok {
			refusals = append(refusals, e.Code+": "+e.Message)
			return nil
		}
		return err
	}
	if l.Group != "" {
		err := putEvents(ctx, who, l.Group, r.SessionID, text, r.EndedAt)
		if err == nil {
			t.Group, t.Stream = l.Group, r.SessionID
		} else if err := refused(err); err != nil {
			return err
		}
	}
	if l.Bucket != "" {
		key := objectKey(l.Prefix, r.SessionID)
		err := who.PutObject(ctx, l.Bucket, key, text)
		if err == nil {
			t.Bucket, t.Key = l.Bucket, key
		} else if err := refused(err); err != nil {
			return err
		}
	}
	t.Error = strings.Join(refusals, "; ")
	r.Transcript = t
	return nil
}

// objectKey is where a session's transcript is in its bucket [D].
func objectKey(prefix, session string) string {
	if prefix != "" {
		prefix = strings.TrimSuffix(prefix, "/") + "/"
	}
	return prefix + session + ".log"
}

// putEvents writes a transcript into the stream of its session. Each batch has a time of its own, which follows from the session's end:
// the last of those that the stream knows says which batches have arrived already.
func putEvents(ctx context.Context, who Caller, group, stream string, text []byte, end model.Millis) error {
	name := map[string]any{"logGroupName": group, "logStreamName": stream}
	var last model.Millis
	err := who.Call(ctx, "logs", "CreateLogStream", name, nil)
	if isCode(err, "ResourceAlreadyExistsException") {
		last, err = lastEvent(ctx, who, group, stream)
	}
	if err != nil {
		return err
	}
	for i, batch := range batches(bytes.ToValidUTF8(text, []byte("\uFFFD"))) { // or JSON would, and make them larger
		at := end + model.Millis(i)
		if at <= last {
			continue
		}
		events := make([]map[string]any, len(batch))
		for k, message := range batch {
			events[k] = map[string]any{"timestamp": at, "message": message}
		}
		in := map[string]any{"logGroupName": group, "logStreamName": stream, "logEvents": events}
		var out struct{ RejectedLogEventsInfo *struct{} }
		if err := who.Call(ctx, "logs", "PutLogEvents", in, &out); err != nil {
			return err
		}
		if out.RejectedLogEventsInfo != nil {
			return model.Errorf("RejectedLogEvents", "the log group takes no events of the time when the session ended")
		}
	}
	return nil
}

// lastEvent is the time of a stream's last event, 0 if it has none. A role that may not look would rather write twice than not at all.
func lastEvent(ctx context.Context, who Caller, group, stream string) (model.Millis, error) {
	var out struct {
		LogStreams []struct {
			LogStreamName      string
			LastEventTimestamp model.Millis
		}
	}
	err := who.Call(ctx, "logs", "DescribeLogStreams", map[string]any{"logGroupName": group, "logStreamNamePrefix": stream}, &out)
	if isCode(err, "AccessDeniedException") {
		return 0, nil
	}
	for _, s := range out.LogStreams {
		if s.LogStreamName == stream {
			return s.LastEventTimestamp, err
		}
	}
	return 0, err
}

// Bounds of an event of a transcript and of a batch, in bytes. AWS's agent has as many lines as fit in one event, and so have we [O].
const (
	maxMessage = 200_000
	perBatch   = 5 // of such events a call takes a MiB
)

// batches are the messages of a transcript, cut after a line if there is one, and as many as one call may bring.
func batches(text []byte) (out [][]string) {
	for i := 0; len(text) > 0; i++ {
		n := len(text)
		if n > maxMessage {
			n = maxMessage
			if at := bytes.LastIndexByte(text[:n], '\n'); at >= 0 {
				n = at + 1
			} else {
				for n > maxMessage-utf8.UTFMax && !utf8.RuneStart(text[n]) {
					n--
				}
			}
		}
		if i%perBatch == 0 {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], string(text[:n]))
		text = text[n:]
	}
	return out
}

// refusal is an answer that would be the same if the same were asked again.
func refusal(err error) (*model.Error, bool) {
	e, ok := errors.AsType[*model.Error](err)
	if !ok {
		return nil, false
	}
	switch e.Code {
	case "ServerException", "ServiceUnavailableException", "ServiceUnavailable", "InternalFailure", "InternalError", "ThrottlingException", "SlowDown",
		"ExpiredTokenException", "ExpiredToken": // a role's credentials come anew
		return nil, false
	}
	return e, !strings.HasPrefix(e.Code, "HTTP5")
}

func isCode(err error, code string) bool {
	e, ok := errors.AsType[*model.Error](err)
	return ok && e.Code == code
}
