package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/datachannel"
)

// execPlane is a control plane with a session whose command says "got: " and its input, complains, and exits with 7. It breaks the
// connection so many times before that.
type execPlane struct {
	*httptest.Server
	t       *testing.T
	turn    sync.Mutex // held by a connection: one comes after the other
	channel *datachannel.Channel
	asked   acs.ExecRequest
	breaks  int
	resumed atomic.Int32
	input   bytes.Buffer
	done    bool // the input has ended
}

func newExecPlane(t *testing.T, breaks int) *execPlane {
	n := byte(0)
	p := &execPlane{t: t, breaks: breaks, channel: datachannel.NewServer(func() datachannel.ID { n++; return datachannel.ID{n} })}
	mux := http.NewServeMux()
	grant := func() acs.ExecGrant {
		return acs.ExecGrant{SessionID: "s1", StreamURL: "ws" + strings.TrimPrefix(p.URL, "http") + "/stream", Token: "token"}
	}
	mux.HandleFunc("POST /roadstead/v1/tasks/t1/exec", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&p.asked)
		_ = json.NewEncoder(w).Encode(grant())
	})
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") == "AmazonSSM.ResumeSession" {
			p.resumed.Add(1)
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"SessionId": "s1", "StreamUrl": grant().StreamURL, "TokenValue": "token"})
	})
	mux.HandleFunc("GET /stream", p.stream)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	t.Setenv("ROADSTEAD_ENDPOINT", p.URL)
	return p
}

func (p *execPlane) stream(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer ws.CloseNow()
	p.turn.Lock()
	defer p.turn.Unlock()
	put := func(frame []byte) { _ = ws.Write(r.Context(), websocket.MessageBinary, frame) }
	_, b, err := ws.Read(r.Context())
	var open datachannel.Open
	if err != nil || json.Unmarshal(b, &open) != nil || open.TokenValue != "token" {
		p.t.Errorf("the client opens with %s, %v", b, err)
	}
	if p.resumed.Load() == 0 {
		q, _ := json.Marshal(datachannel.Request{RequestedClientActions: []datachannel.Action{{ActionType: "SessionType"}}})
		put(p.channel.Send(time.Now(), datachannel.HandshakeRequest, q))
	}
	for _, frame := range p.channel.Resume(time.Now()) {
		put(frame)
	}
	for {
		_, frame, err := ws.Read(r.Context())
		if err != nil {
			return
		}
		var answers [][]byte
		ack := p.channel.Receive(time.Now(), frame, func(x datachannel.Piece) bool { answers = p.take(x); return true })
		if p.breaks > 0 && p.input.Len() > 0 {
			p.breaks--
			return // without an ack
		}
		if ack != nil {
			put(ack)
		}
		for _, a := range answers {
			put(a)
		}
		if p.done && p.channel.Unacknowledged() == 0 {
			put((&datachannel.Message{Type: datachannel.ChannelClosed, Payload: []byte("{}")}).Encode())
			_, _, _ = ws.Read(r.Context()) // until the client goes
			return
		}
	}
}

func (p *execPlane) take(x datachannel.Piece) (out [][]byte) {
	send := func(kind uint32, text string) { out = append(out, p.channel.Send(time.Now(), kind, []byte(text))) }
	switch {
	case x.Type == datachannel.HandshakeResponse:
		send(datachannel.HandshakeComplete, "{}")
	case x.Type == datachannel.Output && len(x.Payload) > 0:
		p.input.Write(x.Payload)
	case x.Type == datachannel.Output:
		send(datachannel.Output, "got: "+strconv.Itoa(p.input.Len()))
		send(datachannel.StdErr, "complaint")
		send(datachannel.ExitCode, "7")
		p.done = true
	}
	return out
}

// The streams are kept apart, the end of the input reaches the command, and the exit code is the command's; connections that break
// cost nothing.
func TestExec(t *testing.T) {
	for _, breaks := range []int{0, 3} {
		p := newExecPlane(t, breaks)
		root := newRoot()
		var stdout, stderr bytes.Buffer
		root.SetArgs([]string{"exec", "arn:aws:ecs:us-east-1:0:task/c/t1", "--cluster", "c", "--container", "app", "--", "wc", "-c"})
		root.SetIn(strings.NewReader(strings.Repeat("x", 100_000)))
		root.SetOut(&stdout)
		root.SetErr(&stderr)
		err := root.ExecuteContext(t.Context())
		if err != exitStatus(7) { //nolint:errorlint // it is not wrapped
			t.Errorf("it ended with %v", err)
		}
		if stdout.String() != "got: 100000" || stderr.String() != "complaint" {
			t.Errorf("it wrote %q and %q", &stdout, &stderr)
		}
		if int(p.resumed.Load()) != breaks {
			t.Errorf("it came back %d times", p.resumed.Load())
		}
		if strings.Join(p.asked.Command, " ") != "wc -c" || p.asked.Cluster != "c" || p.asked.Container != "app" || p.asked.Terminal {
			t.Errorf("it asked for %+v", p.asked)
		}
	}
}
