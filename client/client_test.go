package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func verifier() *auth.Verifier {
	return &auth.Verifier{Lookup: func(id string) (model.AccessKey, bool) {
		return model.AccessKey{ID: "test", Secret: "test", Account: "000000000000", Kind: model.KeyRoot}, id == "test"
	}}
}

// serve starts an endpoint that verifies signatures and then answers with h.
func serve(t *testing.T, h func(w http.ResponseWriter, r *http.Request, p auth.Principal, body []byte)) *client.Client {
	t.Helper()
	v := verifier()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p, err := v.Verify(r, body)
		if err != nil {
			t.Errorf("verify %s %s: %v", r.Method, r.URL, err)
		}
		h(w, r, p, body)
	}))
	t.Cleanup(s.Close)
	return open(t, client.Config{Endpoint: s.URL + "/", Patience: -1})
}

func open(t *testing.T, cfg client.Config) *client.Client {
	t.Helper()
	cfg.AccessKeyID, cfg.Secret, cfg.Region = "test", "test", "us-east-1"
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// [D] A call is AWS JSON 1.1, signed for its service.
func TestCall(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request, p auth.Principal, body []byte) {
		if p.Service != "ecs" || r.Header.Get("X-Amz-Target") != "AmazonEC2ContainerServiceV20141113.ListTasks" ||
			r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || r.URL.Path != "/" {
			t.Errorf("%+v %v %v", p, r.URL, r.Header)
		}
		fmt.Fprintf(w, `{"taskArns":["a"],"echo":%s}`, body)
	})
	var out struct {
		TaskArns []string          `json:"taskArns"`
		Echo     map[string]string `json:"echo"`
	}
	if err := c.Call(t.Context(), "ecs", "ListTasks", map[string]string{"cluster": "default"}, &out); err != nil {
		t.Fatal(err)
	}
	if len(out.TaskArns) != 1 || out.Echo["cluster"] != "default" {
		t.Errorf("%+v", out)
	}
	if err := c.Call(t.Context(), "ecs", "ListTasks", nil, nil); err != nil {
		t.Error(err)
	}
	if err := c.Call(t.Context(), "iam", "GetUser", nil, nil); err == nil {
		t.Error("iam does not speak JSON")
	}
}

// [D] Refusals carry AWS's code, text and further members.
func TestCallRefused(t *testing.T) {
	answers := map[string]string{
		`{"__type":"com.amazonaws.ecs#ConflictException","message":"text","resourceIds":["a"]}`: "ConflictException: text",
		`{"__type":"ClusterNotFoundException","Message":"Cluster not found."}`:                  "ClusterNotFoundException: Cluster not found.",
		`<html>`: "HTTP400: Bad Request",
	}
	for body, want := range answers {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request, _ auth.Principal, _ []byte) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, body)
		})
		err := c.Call(t.Context(), "ecs", "RunTask", nil, nil)
		var e *model.Error
		if !errors.As(err, &e) || e.Error() != want {
			t.Errorf("%s: %v", body, err)
		}
		if strings.Contains(body, "resourceIds") && fmt.Sprint(e.Fields["resourceIds"]) != "[a]" {
			t.Errorf("fields %v", e.Fields)
		}
	}
}

// [I] Our own paths are signed for the service "roadstead", query and all.
func TestDo(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request, p auth.Principal, body []byte) {
		fmt.Fprintf(w, `{"seen":%q}`, r.Method+" "+r.URL.String()+" "+p.Service+" "+string(body))
	})
	var out struct{ Seen string }
	if err := c.Do(t.Context(), "PUT", "/roadstead/v1/a%20b?x=a+b&y=%2F", map[string]int{"n": 1}, &out); err != nil {
		t.Fatal(err)
	}
	if want := `PUT /roadstead/v1/a%20b?x=a%20b&y=%2F roadstead {"n":1}`; out.Seen != want {
		t.Errorf("got %s, want %s", out.Seen, want)
	}
	var b bytes.Buffer
	if err := c.Do(t.Context(), "GET", "/roadstead/v1/logs", nil, &b); err != nil || !strings.Contains(b.String(), "GET") {
		t.Errorf("%s %v", b.String(), err)
	}
}

// [I] A websocket handshake carries a signature that the endpoint verifies.
func TestSignedRequest(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request, p auth.Principal, _ []byte) {
		if p.Service != "ecs" || r.URL.Query().Get("agentHash") != "x y" {
			t.Errorf("%+v %v", p, r.URL)
		}
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		ws.Write(r.Context(), websocket.MessageText, []byte("hello"))
		ws.Close(websocket.StatusNormalClosure, "")
	})
	for _, u := range []string{"/ws?agentHash=x+y&seqNum=1", "ws" + strings.TrimPrefix(c.Endpoint(), "http") + "/ws?agentHash=x%20y"} {
		r, err := c.SignedRequest(t.Context(), "ecs", u)
		if err != nil {
			t.Fatal(err)
		}
		ws, _, err := websocket.Dial(t.Context(), r.URL.String(), &websocket.DialOptions{HTTPHeader: r.Header})
		if err != nil {
			t.Fatal(err)
		}
		if _, b, err := ws.Read(t.Context()); err != nil || string(b) != "hello" {
			t.Errorf("%s %v", b, err)
		}
		ws.CloseNow()
	}
}

// script answers each attempt in turn; the last answer repeats.
type script struct {
	answers []func() (*http.Response, error)
	at      []time.Duration // when each attempt came
	start   time.Time
}

func (s *script) RoundTrip(*http.Request) (*http.Response, error) {
	s.at = append(s.at, time.Since(s.start))
	return s.answers[min(len(s.at), len(s.answers))-1]()
}

func answer(status int, body string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func fail(err error) func() (*http.Response, error) {
	return func() (*http.Response, error) { return nil, err }
}

// [I] Repeated is what cannot have had an effect, or what AWS's clients repeat; a lost answer is neither.
func TestRetry(t *testing.T) {
	refused := fail(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED})
	reset := fail(&net.OpError{Op: "read", Err: syscall.ECONNRESET})
	ok := answer(200, `{}`)
	type answers = []func() (*http.Response, error)
	for name, c := range map[string]struct {
		answers  answers
		attempts int
		err      string
	}{
		"refused":         {answers{refused, refused, ok}, 3, ""},
		"server fault":    {answers{answer(503, `{"__type":"ServiceUnavailableException"}`), ok}, 2, ""},
		"throttled":       {answers{answer(400, `{"__type":"ThrottlingException"}`), ok}, 2, ""},
		"lost answer":     {answers{reset, ok}, 1, "connection reset"},
		"refused by us":   {answers{answer(400, `{"__type":"ClientException"}`), ok}, 1, "ClientException"},
		"never reachable": {answers{refused}, 0, "connection refused"},
		"always faulty":   {answers{answer(500, "")}, 0, "HTTP500"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: c.answers, start: time.Now()}
				cl := open(t, client.Config{Endpoint: "http://h", Transport: s, Patience: 10 * time.Second})
				err := cl.Call(t.Context(), "ecs", "ListTasks", nil, nil)
				if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %q", err, c.err)
				}
				if c.attempts > 0 && len(s.at) != c.attempts {
					t.Errorf("%d attempts", len(s.at))
				}
				if last := s.at[len(s.at)-1]; c.attempts == 0 && (len(s.at) < 7 || len(s.at) > 20 || last > 10*time.Second) {
					t.Errorf("attempts at %v", s.at)
				}
			})
		})
	}
}

// [I] Cancelling ends the retries at once.
func TestRetryCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 120*time.Millisecond)
		defer cancel()
		s := &script{answers: []func() (*http.Response, error){answer(503, "")}, start: time.Now()}
		err := open(t, client.Config{Endpoint: "http://h", Transport: s}).Call(ctx, "ecs", "ListTasks", nil, nil)
		if err == nil || time.Since(s.start) != 120*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(s.start))
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for _, e := range []string{"", "127.0.0.1:4566", "ftp://h", "http://", "http://\x00"} {
		if _, err := client.New(client.Config{Endpoint: e}); err == nil {
			t.Errorf("%q accepted", e)
		}
	}
}

func TestEncode(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request, auth.Principal, []byte) {})
	var unsupported *json.UnsupportedTypeError
	if err := c.Call(t.Context(), "ecs", "ListTasks", make(chan int), nil); !errors.As(err, &unsupported) {
		t.Error(err)
	}
	if err := c.Do(t.Context(), "POST", "/x", make(chan int), nil); !errors.As(err, &unsupported) {
		t.Error(err)
	}
}

// down is an endpoint at which nobody answers.
func down(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// A client goes on with another member when one is dead or does not know the leader, and stays there.
func TestSeveralEndpoints(t *testing.T) {
	var calls []string
	up := func(name string, status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := verifier().Verify(r, []byte("{}")); err != nil {
				t.Error(err)
			}
			calls = append(calls, name)
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	lost, works := up("lost", http.StatusServiceUnavailable), up("works", http.StatusOK)
	c := open(t, client.Config{Endpoint: down(t) + ", " + lost + "/," + works, Patience: 10 * time.Second})
	for range 3 {
		if err := c.Call(t.Context(), "ecs", "ListTasks", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(calls, " "); got != "lost works works works" {
		t.Errorf("called %s", got)
	}
	if c.Endpoint() != works {
		t.Errorf("it stays at %s", c.Endpoint())
	}
	r, err := c.SignedRequest(t.Context(), "ecs", "/ws")
	if err != nil || r.URL.String() != works+"/ws" {
		t.Errorf("a signed request goes to %v, %v", r.URL, err)
	}
	if _, err := client.New(client.Config{Endpoint: works + ",nonsense"}); err == nil {
		t.Error("an endpoint that is no URL is taken")
	}
}

// What a client has learned serves when all that it was configured with is dead.
func TestLearnedEndpoints(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	first, second := down(t), down(t)
	c := open(t, client.Config{Endpoint: first + "," + second, Patience: 10 * time.Second})
	c.Learn(s.URL, "nonsense", second, s.URL+"/")
	if got, want := fmt.Sprint(c.Endpoints()), fmt.Sprint([]string{first, s.URL, second}); got != want {
		t.Errorf("knows %s, want %s", got, want)
	}
	if err := c.Call(t.Context(), "ecs", "ListTasks", nil, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		c.Learn(fmt.Sprint("http://10.0.0.1:", i+1))
	}
	all := c.Endpoints()
	if len(all) > 20 || all[0] != s.URL || !slices.Contains(all, first) || !slices.Contains(all, second) || !slices.Contains(all, "http://10.0.0.1:100") {
		t.Errorf("after a hundred more it knows %v", all)
	}
}
