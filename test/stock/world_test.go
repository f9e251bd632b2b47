package stock_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/state/statetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account = "000000000000"
	region  = "us-east-1"
	backend = "http://plane:4566" // ECS_BACKEND_HOST
	cluster = "default"           // ECS_CLUSTER
)

// world is a control plane in a bubble, and its operator.
type world struct {
	*testing.T
	pipe *pipe
	http *http.Client
	root caller
	node caller      // with the key of a join token, which the agents have
	full atomic.Bool // the control plane's disk
}

// inWorld runs f in a bubble with a control plane that leads.
func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	inWorldOf(t, false, f)
}

// inWorldOf is inWorld, with a control plane for development if dev: that has a cluster from the beginning, and allows resets.
func inWorldOf(t *testing.T, dev bool, f func(w *world)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, pipe: &pipe{conns: make(chan net.Conn), closed: make(chan struct{})}}
		transport := &http.Transport{DialContext: w.pipe.dial}
		w.http = &http.Client{Transport: transport}
		log := slog.New(slog.DiscardHandler)
		if testing.Verbose() {
			log = slog.New(slog.NewTextHandler(os.Stderr, nil))
		}
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		s, err := server.Open(ctx, server.Config{
			DataDir: dir, Advertise: backend, Region: region, Account: account, RootKeyID: "root", RootSecret: "secret", Dev: dev,
			Log: log, Backend: statetest.NewFaulty(state.NewMemory().Member(), w.fault), Listener: w.pipe,
		})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		t.Cleanup(func() {
			transport.CloseIdleConnections()
			cancel()
			if err := <-done; err != nil {
				t.Errorf("the control plane: %v", err)
			}
			<-time.After(time.Second) // requests that wait for a leader outlive it by a moment
		})
		if err := s.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		token, err := s.JoinToken(ctx, account)
		if err != nil {
			t.Fatal(err)
		}
		w.root = caller{w, aws.Credentials{AccessKeyID: "root", SecretAccessKey: "secret"}}
		w.node = caller{w, keysOf(t, token)}
		f(w)
	})
}

// fault has nothing written to a full disk.
func (w *world) fault(call string) statetest.Fault {
	if call == "commit" && w.full.Load() {
		return statetest.NoSpace
	}
	return statetest.None
}

// keysOf are the access keys in a join token (docs/stock-agent.md).
func keysOf(t *testing.T, token string) aws.Credentials {
	t.Helper()
	_, text, _ := strings.Cut(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(text)
	var keys struct{ K, S string }
	if err == nil {
		err = json.Unmarshal(b, &keys)
	}
	if err != nil || keys.K == "" {
		t.Fatalf("the join token %s: %v", token, err)
	}
	return aws.Credentials{AccessKeyID: keys.K, SecretAccessKey: keys.S}
}

// want compares two values as JSON has them: all numbers are alike.
func (w *world) want(what string, got, want any) {
	w.Helper()
	is, err := json.Marshal(got)
	should, err2 := json.Marshal(want)
	if err := errors.Join(err, err2); err != nil || string(is) != string(should) {
		w.Errorf("%s\n got %s\nwant %s %v", what, is, should, err)
	}
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// caller calls the API with its credentials.
type caller struct {
	w  *world
	as aws.Credentials
}

// object is a JSON object.
type object = map[string]any

// list is a JSON array.
type list = []any

// refusal is an error of the API.
type refusal struct{ code, text string }

func (r *refusal) Error() string { return r.code + ": " + r.text }

// try calls an operation of a service with the AWS JSON protocol.
func (c caller) try(service, op string, in any) (object, error) {
	target := map[string]string{
		"ecs": "AmazonEC2ContainerServiceV20141113.", "ssm": "AmazonSSM.", "secretsmanager": "secretsmanager.", "ecr": "AmazonEC2ContainerRegistry_V20150921.",
	}[service]
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r := c.request("POST", backend+"/", service, "application/x-amz-json-1.1", body, http.Header{"X-Amz-Target": {target + op}})
	resp, err := c.w.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer := object{}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s %d: %w", op, resp.StatusCode, err)
	}
	if resp.StatusCode != http.StatusOK {
		code := text(answer["__type"])
		return answer, &refusal{code[strings.LastIndexByte(code, '#')+1:], text(answer["message"]) + text(answer["Message"])}
	}
	return answer, nil
}

// ecs calls an operation of ECS that is to succeed.
func (c caller) ecs(op string, in any) object {
	c.w.Helper()
	out, err := c.try("ecs", op, in)
	if err != nil {
		c.w.Fatalf("%s: %v", op, err)
	}
	return out
}

// operate makes one of the calls that ECS has no word for, and returns the answer's status and text.
func (c caller) operate(method, path string) (int, string) {
	c.w.Helper()
	resp, err := c.w.http.Do(c.request(method, backend+path, "roadstead", "application/json", []byte("{}"), nil))
	if err != nil {
		c.w.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// iam calls an operation of IAM, which speaks the query protocol, and is to succeed.
func (c caller) iam(op string, members ...string) {
	c.w.Helper()
	form := url.Values{"Action": {op}, "Version": {"2010-05-08"}}
	for i := 0; i < len(members); i += 2 {
		form.Set(members[i], members[i+1])
	}
	resp, err := c.w.http.Do(c.request("POST", backend+"/", "iam", "application/x-www-form-urlencoded", []byte(form.Encode()), nil))
	if err != nil {
		c.w.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		c.w.Fatalf("%s: %s", op, b)
	}
}

// request is a signed request.
func (c caller) request(method, url, service, kind string, body []byte, more http.Header) *http.Request {
	c.w.Helper()
	r, err := http.NewRequestWithContext(c.w.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		c.w.Fatal(err)
	}
	maps.Copy(r.Header, more)
	r.Header.Set("User-Agent", "Amazon ECS Agent - v1.105.1 (*a8b3e7d3) (linux; LINUX) (+http://aws.amazon.com/ecs/)")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(c.w.Context(), c.as, r, hex.EncodeToString(sum[:]), service, region, time.Now()); err != nil {
		c.w.Fatal(err)
	}
	return r
}

// text is a string of JSON, "" if it is none.
func text(v any) string { s, _ := v.(string); return s }

// dig follows member names, and indices of arrays, into a value: dig(v, "tasks", 0, "taskArn"). What is not there is nil.
func dig(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			o, _ := v.(object)
			v = o[p]
		case int:
			l, _ := v.(list)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// pipe is a listener inside the bubble.
type pipe struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipe) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (l *pipe) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
