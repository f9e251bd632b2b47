package exec_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

// archive is CloudWatch Logs and S3, as a role sees them.
type archive struct {
	mu      sync.Mutex
	groups  map[string]map[string][]logEvent // group, stream
	keys    map[string]string                // of groups
	objects map[string]string                // by bucket/key
	may     func(action string) bool
	down    int    // so many calls fail before they do anything
	mute    string // the first call of this operation does its work, and its answer is lost
	old     bool   // events are older than groups take
	calls   []string

	refusal  string // of the first calls,
	refusals int    // so many

	sessionKeys map[string][]byte // of KMS: by the request with which they are decrypted
}

type logEvent struct {
	Timestamp int64
	Message   string
}

func newArchive() *archive {
	return &archive{groups: map[string]map[string][]logEvent{"/audit": {}}, keys: map[string]string{}, objects: map[string]string{}, may: func(string) bool { return true }}
}

var errDown = errors.New("nobody answers")

// enter begins a call.
func (a *archive) enter(op string) error {
	a.calls = append(a.calls, op)
	if a.down > 0 {
		a.down--
		return errDown
	}
	if a.refusals > 0 {
		a.refusals--
		return model.Errorf(a.refusal, "The security token included in the request is expired")
	}
	if !a.may(op) {
		return model.Errorf("AccessDeniedException", "not authorized to perform: %s", op)
	}
	return nil
}

// leave ends a call that did its work.
func (a *archive) leave(op string) error {
	if a.mute == op {
		a.mute = ""
		return errDown
	}
	return nil
}

func (a *archive) Call(_ context.Context, service, op string, in, out any) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.enter(service + ":" + op); err != nil {
		return err
	}
	var q struct {
		LogGroupName, LogStreamName, LogGroupNamePrefix, LogStreamNamePrefix string
		LogEvents                                                            []logEvent
	}
	b, _ := json.Marshal(in)
	if err := json.Unmarshal(b, &q); err != nil {
		return err
	}
	answer := map[string]any{}
	if op == "Decrypt" {
		text, _ := json.Marshal(in)
		key, ok := a.sessionKeys[string(text)]
		if !ok {
			return model.Errorf("InvalidCiphertextException", "")
		}
		return json.Unmarshal([]byte(`{"Plaintext":"`+base64.StdEncoding.EncodeToString(key)+`"}`), out)
	}
	group, ok := a.groups[q.LogGroupName]
	_, there := group[q.LogStreamName]
	switch {
	case op == "DescribeLogGroups":
		groups := []map[string]string{}
		for name := range a.groups {
			if strings.HasPrefix(name, q.LogGroupNamePrefix) {
				groups = append(groups, map[string]string{"logGroupName": name, "kmsKeyId": a.keys[name]})
			}
		}
		answer["logGroups"] = groups
	case !ok:
		return model.Errorf("ResourceNotFoundException", "The specified log group does not exist.")
	case op == "CreateLogStream" && there:
		return model.Errorf("ResourceAlreadyExistsException", "The specified log stream already exists")
	case op == "CreateLogStream":
		group[q.LogStreamName] = nil
	case op == "DescribeLogStreams":
		streams := []map[string]any{}
		for name, events := range group {
			if s := map[string]any{"logStreamName": name}; strings.HasPrefix(name, q.LogStreamNamePrefix) {
				if n := len(events); n > 0 {
					s["lastEventTimestamp"] = events[n-1].Timestamp
				}
				streams = append(streams, s)
			}
		}
		answer["logStreams"] = streams
	case op == "PutLogEvents" && a.old:
		answer["rejectedLogEventsInfo"] = map[string]int{"tooOldLogEventEndIndex": len(q.LogEvents)}
	case op == "PutLogEvents":
		size := 0
		for _, e := range q.LogEvents {
			size += len(e.Message) + 26
		}
		if size > 1<<20 {
			return model.Errorf("InvalidParameterException", "Upload too large: %d bytes exceeds limit of 1048576", size)
		}
		group[q.LogStreamName] = append(group[q.LogStreamName], q.LogEvents...)
	}
	if b, _ := json.Marshal(answer); out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			return err
		}
	}
	return a.leave(service + ":" + op)
}

func (a *archive) PutObject(_ context.Context, bucket, key string, body []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.enter("s3:PutObject"); err != nil {
		return err
	}
	a.objects[bucket+"/"+key] = string(body)
	return a.leave("s3:PutObject")
}

func (a *archive) BucketEncrypted(context.Context, string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.enter("s3:GetEncryptionConfiguration")
}

// stream is the text of a stream, and in how many events it came.
func (a *archive) stream(group, name string) (string, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := ""
	for _, e := range a.groups[group][name] {
		text += e.Message
	}
	return text, len(a.groups[group][name])
}

func logged(l acs.ExecLog) func(*acs.RoadsteadOpenExec) {
	return func(m *acs.RoadsteadOpenExec) { m.Log = &l }
}

// talk opens a session whose command says something, and ends by itself.
func (s *site) talk(id, text string, change ...func(*acs.RoadsteadOpenExec)) *client {
	s.t.Helper()
	n := len(s.processes)
	s.open(id, change...)
	c := s.connect(id, nil)
	c.resize(80, 25)
	p := s.process(n)
	for ; len(text) > 0; text = text[min(len(text), 4096):] {
		p.say(s.t, text[:min(len(text), 4096)])
	}
	p.exit(0)
	synctest.Wait()
	return c
}

func (s *site) files() []string {
	s.t.Helper()
	names, err := filepath.Glob(filepath.Join(s.dir, "*.*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return names
}

// [D] OVERRIDE: what a session shows is put into the group's stream and the bucket's object of its id.
func TestTranscript(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.talk("s1", "# ls\r\nbin etc\r\n# exit\r\n", logged(acs.ExecLog{Group: "/audit", Bucket: "b", Prefix: "p/q"}))
		r := s.record()
		if text, n := s.archive.stream("/audit", "s1"); text != "# ls\r\nbin etc\r\n# exit\r\n" || n != 1 {
			t.Errorf("the stream has %q in %d events", text, n)
		}
		want(t, "object", s.archive.objects["b/p/q/s1.log"], "# ls\r\nbin etc\r\n# exit\r\n")
		if want := (acs.ExecTranscript{Group: "/audit", Stream: "s1", Bucket: "b", Key: "p/q/s1.log", Bytes: 23}); r.Transcript == nil || *r.Transcript != want {
			t.Errorf("the record says %+v", r.Transcript)
		}
		s.sessions.Noted("s1")
		if left := s.files(); len(left) > 0 {
			t.Errorf("%q is left", left)
		}
	})
}

// A session that nobody wants to be recorded is not, and neither is one that carries connections [D].
func TestNoTranscript(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.talk("s1", "secret")
		if r := s.record(); r.Transcript != nil || len(s.archive.calls) > 0 {
			t.Errorf("record %+v, calls %q", r, s.archive.calls)
		}
		s.sessions.Noted("s1")
		s.open("s2", func(m *acs.RoadsteadOpenExec) {
			m.Port, m.Log = &acs.ExecPort{Host: "localhost", Port: 80}, &acs.ExecLog{Group: "/audit"}
		})
		s.sessions.End("s2")
		if r := s.record(); r.Transcript != nil || len(s.archive.calls) > 0 {
			t.Errorf("record %+v, calls %q", r, s.archive.calls)
		}
	})
}

// [O] AWS's agent: lines are joined to events of at most 200,000 bytes. Long ones come whole, and characters stay whole.
func TestLongTranscript(t *testing.T) {
	for name, text := range map[string]string{
		"lines":   strings.Repeat("a line of fifty bytes, as it were, with a number 7\n", 50_000),
		"no line": strings.Repeat("äöü€", 200_000),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *site) {
				s.talk("s1", text, logged(acs.ExecLog{Group: "/audit"}))
				s.record()
				got, n := s.archive.stream("/audit", "s1")
				if got != text || n != len(text)/199_900+1 && n != len(text)/200_000+1 {
					t.Errorf("%d bytes in %d events, want %d", len(got), n, len(text))
				}
				for _, e := range s.archive.groups["/audit"]["s1"] {
					if len(e.Message) > 200_000 || strings.ContainsRune(e.Message, '\uFFFD') {
						t.Errorf("an event of %d bytes", len(e.Message))
					}
				}
			})
		})
	}
}

// A control plane that is away, or whose answer is lost, makes a transcript wait, and no part of it comes twice.
func TestTranscriptWaits(t *testing.T) {
	long := strings.Repeat("a line\n", 200_000)
	for _, mute := range []string{"logs:CreateLogStream", "logs:PutLogEvents", "s3:PutObject"} {
		bubble(t, func(t *testing.T, s *site) {
			s.archive.down, s.archive.mute = 3, mute
			s.talk("s1", long, logged(acs.ExecLog{Group: "/audit", Bucket: "b"}))
			if all := s.sessions.Records(); len(all) > 0 {
				t.Errorf("%s: the record does not wait: %+v", mute, all)
			}
			time.Sleep(time.Minute)
			r := s.record()
			if text, _ := s.archive.stream("/audit", "s1"); text != long || s.archive.objects["b/s1.log"] != long || r.Transcript.Error != "" {
				t.Errorf("%s: %d bytes in the stream, %d in the object, want %d; %+v", mute, len(text), len(s.archive.objects["b/s1.log"]), len(long), r.Transcript)
			}
		})
	}
}

// A role that may not: the session is as it is, the record says why there is no transcript, and the node keeps it for a week.
func TestTranscriptRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.archive.may = func(action string) bool { return action != "logs:CreateLogStream" }
		c := s.talk("s1", "who was it?", logged(acs.ExecLog{Group: "/audit", Bucket: "b"}))
		r := s.record()
		want(t, "output", string(c.got), "who was it?")
		tr := r.Transcript
		if tr.Error != "AccessDeniedException: not authorized to perform: logs:CreateLogStream" || tr.Group != "" || tr.Key != "s1.log" || r.Reason != "the command has ended" {
			t.Errorf("record %+v, transcript %+v", r, tr)
		}
		want(t, "object", s.archive.objects["b/s1.log"], "who was it?")
		b, err := os.ReadFile(tr.Kept)
		if err != nil || string(b) != "who was it?" {
			t.Errorf("kept is %q, %v", b, err)
		}
		s.sessions.Noted("s1")
		old := time.Now().Add(-8 * 24 * time.Hour)
		if err := os.Chtimes(tr.Kept, old, old); err != nil {
			t.Fatal(err)
		}
		s.noRole = model.Errorf("NoRole", "the task has no role of its own")
		s.talk("s2", "and that?", logged(acs.ExecLog{Group: "/audit"}))
		if r := s.record(); r.Transcript.Error != "the task has no role of its own" {
			t.Errorf("transcript %+v", r.Transcript)
		}
		if _, err := os.Stat(tr.Kept); !os.IsNotExist(err) {
			t.Errorf("after a week: %v", err)
		}
	})
}

// [O] AWS's agent: what is to be encrypted and is not, or may not be looked at, is no session at all.
func TestTranscriptToBeEncrypted(t *testing.T) {
	const group, bucket = "We couldn't start the session because encryption is not set up on the selected CloudWatch Logs log group.", "We couldn't start the session because encryption is not set up on the selected Amazon S3 bucket."
	for name, c := range map[string]struct {
		log  acs.ExecLog
		key  string
		deny string
		want string
	}{
		"group":                {acs.ExecLog{Group: "/audit", GroupEncrypted: true}, "k", "", ""},
		"group without":        {acs.ExecLog{Group: "/audit", GroupEncrypted: true}, "", "", group},
		"group not seen":       {acs.ExecLog{Group: "/audit", GroupEncrypted: true}, "k", "logs:DescribeLogGroups", group},
		"no such group":        {acs.ExecLog{Group: "/aud", GroupEncrypted: true}, "k", "", group},
		"bucket":               {acs.ExecLog{Bucket: "b", BucketEncrypted: true}, "", "", ""},
		"bucket not seen":      {acs.ExecLog{Bucket: "b", BucketEncrypted: true}, "", "s3:GetEncryptionConfiguration", bucket},
		"neither is said to":   {acs.ExecLog{Group: "/audit", Bucket: "b"}, "", "logs:DescribeLogGroups", ""},
		"said of what is none": {acs.ExecLog{Group: "/audit", BucketEncrypted: true}, "", "s3:GetEncryptionConfiguration", ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *site) {
				s.archive.keys["/audit"] = c.key
				s.archive.may = func(action string) bool { return action != c.deny }
				s.open("s1", logged(c.log))
				cl := s.connect("s1", nil)
				cl.resize(80, 25)
				if c.want == "" {
					s.process(0).exit(0)
				}
				r := s.record()
				if cl.closed == nil || !strings.HasPrefix(cl.closed.Output, c.want) || c.want == "" && cl.closed.Output != "" || len(s.processes) == 1 != (c.want == "") {
					t.Errorf("end %+v, record %+v, %d processes", cl.closed, r, len(s.processes))
				}
			})
		})
	}
}

// An agent that is killed in the middle of a session, or at any time after it: the next one tells of the session, and puts away what it
// showed, once.
func TestTranscriptOutlivesTheAgent(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1", logged(acs.ExecLog{Group: "/audit", Bucket: "b"}))
		c := s.connect("s1", nil)
		c.resize(80, 25)
		s.process(0).say(t, "half of ")
		s.process(0).say(t, "a session")
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(s.dir)); err != nil { // a killed agent leaves just that
			t.Fatal(err)
		}
		to := newArchive()
		to.down = 1
		next := s.again(copied, to)
		time.Sleep(time.Minute)
		r := next.record()
		if text, _ := next.archive.stream("/audit", "s1"); text != "half of a session" || next.archive.objects["b/s1.log"] != text {
			t.Errorf("the stream has %q, the object %q", text, next.archive.objects["b/s1.log"])
		}
		if r.Reason != "the agent was killed" || r.StartedAt == 0 || r.EndedAt == 0 || r.BytesOut != 17 || r.Principal != "arn:root" || r.ExitCode != nil {
			t.Errorf("record %+v", r)
		}
		third := s.again(copied, to) // which has not been noted
		if again := third.record(); again.EndedAt != r.EndedAt || *again.Transcript != *r.Transcript {
			t.Errorf("another agent tells %+v, want %+v", again, r)
		}
		if n := len(slices.DeleteFunc(slices.Clone(next.archive.calls), func(op string) bool { return op != "logs:PutLogEvents" })); n != 1 {
			t.Errorf("%d batches were put: %q", n, next.archive.calls)
		}
		third.sessions.Noted("s1")
		if left := third.files(); len(left) > 0 {
			t.Errorf("%q is left", left)
		}
		s.process(0).exit(0)
		s.record()
	})
}

// An agent that ends leaves the transcript to the next one.
func TestTranscriptOfAnEndingAgent(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T, s *site) {
		s.dir = dir
		s.restart()
		s.archive.down = 1 << 30
		s.talk("s1", "to be continued", logged(acs.ExecLog{Bucket: "b"}))
	})
	bubble(t, func(t *testing.T, s *site) {
		s.dir = dir
		s.restart()
		if r := s.record(); r.Reason != "the command has ended" || *r.ExitCode != 0 {
			t.Errorf("record %+v", r)
		}
		want(t, "object", s.archive.objects["b/s1.log"], "to be continued")
	})
}

// What is no UTF-8 cannot stand in an event: it comes as U+FFFD there, in batches that are small enough all the same; an object has the
// bytes themselves.
func TestBinaryTranscript(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		text := strings.Repeat("\xfea", 300_000)
		s.talk("s1", text, logged(acs.ExecLog{Group: "/audit", Bucket: "b"}))
		r := s.record()
		if got, _ := s.archive.stream("/audit", "s1"); got != strings.Repeat("\uFFFDa", 300_000) || r.Transcript.Error != "" {
			t.Errorf("the stream has %d bytes; %q", len(got), r.Transcript.Error)
		}
		if s.archive.objects["b/s1.log"] != text {
			t.Errorf("the object has %d bytes", len(s.archive.objects["b/s1.log"]))
		}
		for _, e := range s.archive.groups["/audit"]["s1"] {
			if len(e.Message) > 200_000 {
				t.Errorf("an event of %d bytes", len(e.Message))
			}
		}
	})
}

// [D] PutLogEvents succeeds also if it takes no event, of a session that ended more than two weeks ago, for instance: that is a refusal.
func TestTranscriptTooOld(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.archive.old = true
		s.talk("s1", "long ago", logged(acs.ExecLog{Group: "/audit"}))
		tr := s.record().Transcript
		if tr.Group != "" || !strings.HasPrefix(tr.Error, "RejectedLogEvents: ") {
			t.Errorf("transcript %+v", tr)
		}
		if b, err := os.ReadFile(tr.Kept); err != nil || string(b) != "long ago" {
			t.Errorf("kept is %q, %v", b, err)
		}
	})
}

// A page that cannot be read costs the others nothing.
func TestUnreadablePage(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1", logged(acs.ExecLog{Bucket: "b"}))
		s.connect("s1", nil).resize(80, 25)
		s.process(0).say(t, "half")
		copied := t.TempDir()
		if err := errors.Join(os.CopyFS(copied, os.DirFS(s.dir)), os.Mkdir(filepath.Join(copied, "s0.json"), 0o700)); err != nil {
			t.Fatal(err)
		}
		next := s.again(copied, newArchive())
		if r := next.record(); r.SessionID != "s1" || next.archive.objects["b/s1.log"] != "half" {
			t.Errorf("record %+v", r)
		}
		s.process(0).exit(0)
		s.record()
	})
}

// Credentials of a role that were good when the control plane went away may be over when it is back, and then come anew: that is no refusal.
func TestTranscriptWaitsForCredentials(t *testing.T) {
	for _, code := range []string{"ExpiredTokenException", "ExpiredToken"} { // of Logs, and of S3
		bubble(t, func(t *testing.T, s *site) {
			s.archive.refusal, s.archive.refusals = code, 2
			s.talk("s1", "later", logged(acs.ExecLog{Bucket: "b"}))
			time.Sleep(time.Minute)
			if r := s.record(); r.Transcript.Error != "" || s.archive.objects["b/s1.log"] != "later" {
				t.Errorf("%s: %+v", code, r.Transcript)
			}
		})
	}
}
