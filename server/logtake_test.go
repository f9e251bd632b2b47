package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"

	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
)

// shutLogs are three members, of which the third leads and lacks events of the group "locked" that the second has in a sealed file whose key
// is disabled. The group's first line, "clear", is not encrypted; the group "plain" is not at all.
type shutLogs struct {
	*testing.T
	members [3]*server.Server
	stops   [3]func()
	key     string
	ahead   atomic.Int64 // of the third member's clock
	want    string       // of "locked"
}

func newShutLogs(t *testing.T) *shutLogs {
	w := &shutLogs{T: t, want: "clear"}
	store, dirs := state.NewMemory(), [3]string{t.TempDir(), t.TempDir(), t.TempDir()}
	var shut atomic.Value // the host that the first leader brings nothing
	shut.Store("")
	start := func(i int) {
		cfg := server.Config{Backend: store.Member(), DataDir: dirs[i], InitialCluster: "a,b,c"}
		switch i {
		case 0:
			cfg.Peers = trip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host == shut.Load() && strings.Contains(r.URL.Path, "/logs/copy/") {
					return nil, errors.New("unreachable")
				}
				return http.DefaultTransport.RoundTrip(r)
			})
		case 2:
			cfg.Now = func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
		}
		w.members[i], w.stops[i] = open(t, cfg)
	}
	leads := func(i int) {
		t.Helper()
		within(t, "a leader", func() bool { return w.members[i].DB().Leading() })
	}
	start(0)
	leads(0)
	start(1)
	start(2)
	c := logsOf(w.members[0])
	write(t, c, "plain", "one")
	write(t, c, "locked", "clear")
	within(t, "that the third member has the first line", func() bool { return holds(t, dirs[2], "clear") })
	w.lock(c)
	shut.Store(w.members[2].Addr())
	for i := range 17 { // until the second member has sealed it
		var events []types.InputLogEvent
		for k := range 4 {
			name := fmt.Sprint(" ", i, ".", k)
			w.want += name
			events = append(events, types.InputLogEvent{Message: aws.String(name + strings.Repeat(" ", 250_000)), Timestamp: aws.Int64(time.Now().UnixMilli())})
		}
		_, err := c.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("locked"), LogStreamName: aws.String("s"), LogEvents: events})
		ok(t, err)
	}
	if sealed, err := filepath.Glob(filepath.Join(dirs[1], "logs", "*", "*.sealed")); err != nil || len(sealed) != 1 {
		t.Fatalf("sealed: %v, %v", sealed, err)
	}
	w.kms(0, "DisableKey", map[string]any{"KeyId": w.key})
	w.stops[1]()
	w.stops[0]()
	leads(2)
	start(1)
	return w
}

// holds says whether some log of a member has a text in clear.
func holds(t *testing.T, dir, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "logs", "*", "*.journal"))
	ok(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		ok(t, err)
		if strings.Contains(string(b), text) {
			return true
		}
	}
	return false
}

func (w *shutLogs) kms(at int, operation string, in map[string]any) (out map[string]any) {
	w.Helper()
	ok(w.T, dial(w.T, w.members[at], "root", "secret").Call(w.Context(), "kms", operation, in, &out))
	return out
}

// lock encrypts what comes into the group from now on.
func (w *shutLogs) lock(c *cloudwatchlogs.Client) {
	made := w.kms(0, "CreateKey", map[string]any{"Policy": `{"Version":"2012-10-17","Statement":[` +
		`{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"kms:*","Resource":"*"},` +
		`{"Effect":"Allow","Principal":{"Service":"logs.us-east-1.amazonaws.com"},"Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"*"}]}`})
	w.key = made["KeyMetadata"].(map[string]any)["Arn"].(string)
	_, err := c.AssociateKmsKey(w.Context(), &cloudwatchlogs.AssociateKmsKeyInput{LogGroupName: aws.String("locked"), KmsKeyId: &w.key})
	ok(w.T, err)
}

// read asks the leader for the lines of the group that lacks some, until it can tell.
func (w *shutLogs) read() <-chan string {
	read := make(chan string, 1)
	go func() {
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		var all []string
		p := cloudwatchlogs.NewFilterLogEventsPaginator(logsOf(w.members[2]), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("locked")})
		for p.HasMorePages() {
			out, err := p.NextPage(ctx)
			if refusal := smithy.APIError(nil); errors.As(err, &refusal) && refusal.ErrorCode() == "ServiceUnavailableException" {
				continue
			}
			if err != nil {
				all = append(all, err.Error())
				break
			}
			for _, e := range out.Events {
				all = append(all, strings.TrimSpace(*e.Message))
			}
		}
		read <- strings.Join(all, " ")
	}()
	return read
}

// waits fails if a read has come to its end, although other groups have answered meanwhile.
func (w *shutLogs) waits(read <-chan string) {
	w.Helper()
	if got := lines(w.T, logsOf(w.members[2]), "plain"); got != "one" {
		w.Errorf("the other group has %q", got)
	}
	out, err := logsOf(w.members[2]).DescribeLogGroups(w.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
	if ok(w.T, err); len(out.LogGroups) != 2 {
		w.Errorf("groups: %+v", out.LogGroups)
	}
	select {
	case got := <-read:
		w.Fatalf("it does not wait, but answers %.200q", got)
	default:
	}
}

// A new leader that lacks events of a group whose key is disabled shows nothing of that group until it has them, each once; other groups
// do not wait for it (docs/decisions/046).
func TestANewLeaderWaitsForEventsBehindAKey(t *testing.T) {
	w := newShutLogs(t)
	read := w.read()
	w.waits(read)
	w.kms(2, "EnableKey", map[string]any{"KeyId": w.key})
	if got := <-read; got != w.want {
		t.Errorf("read %.200q, want %.200q", got, w.want)
	}
	if got := <-w.read(); got != w.want {
		t.Errorf("read again %.200q", got)
	}
}

// It goes on without them when the member that has them is gone for long.
func TestANewLeaderGoesOnWithoutEventsBehindAKey(t *testing.T) {
	w := newShutLogs(t)
	read := w.read()
	w.waits(read)
	w.stops[1]()
	w.ahead.Store(int64(3 * time.Minute))
	if got := <-read; got != "clear" {
		t.Errorf("read %.200q", got)
	}
}

// A leader that meets a higher epoch than its own takes one that is higher still: at its beginning, while it brings events, and if it
// is itself asked to promise it.
func TestALeaderOutbids(t *testing.T) {
	const high = 1 << 30 // not to be reached by counting
	for _, when := range []string{"before", "meanwhile", "itself"} {
		t.Run(when, func(t *testing.T) {
			store, dir := state.NewMemory(), t.TempDir()
			if when == "before" {
				logs, err := logstore.Open(logstore.Config{Dir: filepath.Join(dir, "logs")})
				ok(t, err)
				ok(t, logs.Promise(high))
				ok(t, logs.Close())
			}
			first, _ := open(t, server.Config{Backend: store.Member(), InitialCluster: "a,b,c"})
			within(t, "a leader", func() bool { return first.DB().Leading() })
			second, _ := open(t, server.Config{Backend: store.Member(), DataDir: dir, InitialCluster: "a,b,c"})
			c := logsOf(first)
			write(t, c, "g", "one")
			promise := func(s *server.Server) {
				ok(t, dial(t, s, "root", "secret").Do(t.Context(), http.MethodPost, "/roadstead/v1/logs/promise", map[string]any{"epoch": high}, nil))
			}
			switch when {
			case "meanwhile":
				promise(second)
			case "itself":
				promise(first)
			}
			put := func(line string) error {
				_, err := c.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"),
					LogEvents: []types.InputLogEvent{{Message: &line, Timestamp: aws.Int64(time.Now().UnixMilli())}}})
				return err
			}
			within(t, "that it takes lines again", func() bool { return put("two") == nil })
			if got := lines(t, c, "g"); !strings.HasPrefix(got, "one two") {
				t.Errorf("read %q", got)
			}
		})
	}
}

// How far a subscription filter is stands on the other members a moment later, without another event, and leaves them with the filter.
func TestMarksOfFiltersTravel(t *testing.T) {
	var got atomic.Int64
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got.Add(1) }))
	t.Cleanup(sink.Close)
	store, dirs := state.NewMemory(), []string{t.TempDir(), t.TempDir(), t.TempDir()}
	var first *server.Server
	for i := range dirs {
		s, _ := open(t, server.Config{Backend: store.Member(), DataDir: dirs[i], InitialCluster: "a,b,c", LogDestinations: []string{sink.URL}})
		if i == 0 {
			first = s
			within(t, "a leader", func() bool { return s.DB().Leading() })
		}
	}
	c, group, name := logsOf(first), aws.String("g"), aws.String("f")
	_, err := c.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	ok(t, err)
	_, err = c.PutSubscriptionFilter(t.Context(), &cloudwatchlogs.PutSubscriptionFilterInput{
		LogGroupName: group, FilterName: name, FilterPattern: aws.String(""), DestinationArn: &sink.URL,
	})
	ok(t, err)
	_, err = c.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: aws.String("s")})
	ok(t, err)
	_, err = c.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: aws.String("s"),
		LogEvents: []types.InputLogEvent{{Message: aws.String("one"), Timestamp: aws.Int64(time.Now().UnixMilli())}}})
	ok(t, err)
	marks := func(dir string) string {
		files, err := filepath.Glob(filepath.Join(dir, "logs", "*", "*.mark"))
		ok(t, err)
		all := ""
		for _, f := range files {
			if b, err := os.ReadFile(f); err == nil { // else it is gone meanwhile
				all += fmt.Sprintf("%s %x ", filepath.Base(f), b)
			}
		}
		return all
	}
	same := func() bool { return marks(dirs[1]) == marks(dirs[0]) && marks(dirs[2]) == marks(dirs[0]) }
	within(t, "that it is sent", func() bool { return got.Load() == 2 && marks(dirs[0]) != "" }) // with a first message
	within(t, "that others hear of it", same)
	_, err = c.DeleteSubscriptionFilter(t.Context(), &cloudwatchlogs.DeleteSubscriptionFilterInput{LogGroupName: group, FilterName: name})
	ok(t, err)
	within(t, "that it is gone", func() bool { return marks(dirs[0]) == "" })
	within(t, "that others hear of that", same)
}
