package datachannel_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/datachannel"
)

var start = time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)

// ids counts.
func ids() func() datachannel.ID {
	n := uint64(0)
	return func() (id datachannel.ID) { n++; binary.BigEndian.PutUint64(id[8:], n); return id }
}

func yes(datachannel.Piece) bool { return true }

// [code] AGENT-PROTOCOL §5.4: every stream message is acknowledged, those that came again too, and taken once and in order.
func TestReceive(t *testing.T) {
	var got bytes.Buffer
	take := func(p datachannel.Piece) bool { got.Write(p.Payload); return true }
	client, server := datachannel.NewClient(ids()), datachannel.NewServer(ids())
	var frames [][]byte
	for i := range 4 {
		frames = append(frames, client.Send(start, datachannel.Output, fmt.Append(nil, i)))
	}
	for _, i := range []int{0, 2, 2, 1, 0, 3} {
		ack := server.Receive(start, frames[i], take)
		m, err := datachannel.Decode(ack)
		if err != nil || m.Type != datachannel.Acknowledge || m.Flags != 3 || m.Sequence != 0 || m.PayloadType != 0 {
			t.Fatalf("the ack of %d is %+v, %v", i, m, err)
		}
		var a struct {
			Type       string `json:"AcknowledgedMessageType"`
			ID         string `json:"AcknowledgedMessageId"`
			Sequence   int    `json:"AcknowledgedMessageSequenceNumber"`
			Sequential bool   `json:"IsSequentialMessage"`
		}
		if err := json.Unmarshal(m.Payload, &a); err != nil || a.Type != datachannel.InputStream || a.Sequence != i || !a.Sequential || a.ID == "" {
			t.Fatalf("the ack of %d says %s", i, m.Payload)
		}
		client.Receive(start, ack, yes)
	}
	if got.String() != "0123" || client.Unacknowledged() != 0 {
		t.Errorf("got %q, %d without an ack", &got, client.Unacknowledged())
	}
	if server.Receive(start, []byte("nonsense"), take) != nil || server.Receive(start, server.Send(start, datachannel.Output, nil), take) != nil {
		t.Error("an ack for what is no message of the other side")
	}
}

// What there is no room for is not acknowledged, nor is what comes after it: the other end sends it again.
func TestReceiveWithoutRoom(t *testing.T) {
	var got bytes.Buffer
	room := 1
	take := func(p datachannel.Piece) bool {
		if room == 0 {
			return false
		}
		room--
		got.Write(p.Payload)
		return true
	}
	client, server := datachannel.NewClient(ids()), datachannel.NewServer(ids())
	var frames [][]byte
	for i := range 4 {
		frames = append(frames, client.Send(start, datachannel.Output, fmt.Append(nil, i)))
	}
	acked := func(i int) bool { return server.Receive(start, frames[i], take) != nil }
	if !acked(0) || acked(1) || acked(2) {
		t.Error("the room was not respected")
	}
	room = 1
	if !acked(3) { // early: it is kept
		room = 1
	}
	room = 1
	if !acked(1) {
		t.Error("no ack although there is room")
	}
	if !acked(3) {
		t.Error("an early message was not kept")
	}
	room = 1
	if !acked(2) {
		t.Error("no ack although there is room")
	}
	server.Drain(take)
	if got.String() != "012" {
		t.Errorf("got %q", &got)
	}
	room = 1
	server.Drain(take)
	if got.String() != "0123" {
		t.Errorf("got %q", &got)
	}
}

// The oldest message is sent again, ever later, until its ack; an ack makes the next one young.
func TestOverdue(t *testing.T) {
	c := datachannel.NewServer(ids())
	if _, ok := c.Due(); ok || c.Overdue(start) != nil {
		t.Fatal("something is due before anything was sent")
	}
	first := c.Send(start, datachannel.Output, []byte("a"))
	c.Send(start, datachannel.Output, []byte("b"))
	now, pause := start, time.Duration(0)
	for i := range 12 {
		at, _ := c.Due()
		if d := at.Sub(now); d < pause || d > 30*time.Second {
			t.Fatalf("resend %d after %s, before that %s", i, d, pause)
		}
		pause = at.Sub(now)
		if c.Overdue(at.Add(-1)) != nil || !bytes.Equal(c.Overdue(at), first) {
			t.Fatalf("resend %d is not of the first message, or too early", i)
		}
		now = at
	}
	c.Receive(now, datachannel.NewClient(ids()).Receive(now, first, yes), yes)
	if at, _ := c.Due(); at.After(now) || c.Unacknowledged() != 1 {
		t.Errorf("the second is due %s after the ack of the first", at.Sub(now))
	}
}

// [code] AGENT-PROTOCOL §5.4: the plugin does not acknowledge again what it has. Acks that were lost with a connection are made
// good by the first one over the next, for which there is always room.
func TestResumeWithLostAcks(t *testing.T) {
	server, client := datachannel.NewServer(ids()), datachannel.NewClient(ids())
	for server.Free() {
		client.Receive(start, server.Send(start, datachannel.Output, nil), yes) // its ack is lost
	}
	if n := server.Unacknowledged(); n != datachannel.Window {
		t.Fatalf("%d in the window", n)
	}
	for i := range 3 { // the ack is lost with its connection, too
		if again := server.Resume(start); len(again) != datachannel.Window+i || !server.Free() {
			t.Fatalf("%d are sent again, free %v", len(again), server.Free())
		}
		client.Receive(start, server.Send(start, datachannel.Output, nil), yes)
	}
	server.Resume(start)
	ack := client.Receive(start, server.Send(start, datachannel.Output, nil), yes)
	if server.Free() {
		t.Error("there is room for more than one")
	}
	server.Receive(start, ack, yes)
	if n := server.Unacknowledged(); n != 0 {
		t.Errorf("%d without an ack", n)
	}
}

// On the first connection an ack is for its message alone: the plugin drops what comes before it is ready.
func TestAckIsForOneMessage(t *testing.T) {
	server, client := datachannel.NewServer(ids()), datachannel.NewClient(ids())
	server.Send(start, datachannel.Output, []byte("dropped"))
	server.Receive(start, client.Receive(start, server.Send(start, datachannel.Output, nil), yes), yes)
	if n := server.Unacknowledged(); n != 1 {
		t.Errorf("%d without an ack, want the dropped one", n)
	}
}

// [I] Whatever a network does to frames, all bytes come once and in order.
func TestBytesComeOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		server, client := datachannel.NewServer(ids()), datachannel.NewClient(ids())
		loss := rapid.IntRange(0, 50).Draw(t, "percent lost")
		n := rapid.IntRange(1, 200).Draw(t, "messages")
		luck := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var wire [][]byte // to the client
		var back [][]byte // to the server
		var got []byte
		sent, now := 0, start
		put := func(to *[][]byte, frame []byte) {
			if frame == nil || luck.IntN(100) < loss {
				return
			}
			*to = append(*to, frame)
			switch f := luck.IntN(100); {
			case f < 15: // twice
				*to = append(*to, frame)
			case f < 40 && len(*to) > 1: // overtakes
				k := len(*to)
				(*to)[k-1], (*to)[k-2] = (*to)[k-2], (*to)[k-1]
			}
		}
		for step := 0; sent < n || server.Unacknowledged() > 0; step++ {
			if step > 200_000 {
				t.Fatalf("%d of %d messages came", len(got), n)
			}
			now = now.Add(50 * time.Millisecond)
			if due, ok := server.Due(); ok && !server.Free() && due.After(now) {
				now = due // nothing happens until then
			}
			for sent < n && server.Free() {
				put(&wire, server.Send(now, datachannel.Output, []byte{byte(sent)}))
				sent++
			}
			if server.Unacknowledged() > datachannel.Window {
				t.Fatal("the window is too full")
			}
			put(&wire, server.Overdue(now))
			left := luck.IntN(6)
			take := func(p datachannel.Piece) bool {
				if left == 0 {
					return false
				}
				left--
				got = append(got, p.Payload...)
				return true
			}
			client.Drain(take)
			for _, frame := range wire {
				put(&back, client.Receive(now, frame, take))
			}
			for _, frame := range back {
				server.Receive(now, frame, yes)
			}
			wire, back = nil, nil
		}
		for range n { // all are acknowledged: what came early may still wait for room
			client.Drain(func(p datachannel.Piece) bool { got = append(got, p.Payload...); return true })
		}
		if len(got) != n {
			t.Fatalf("%d of %d messages came", len(got), n)
		}
		for i, b := range got {
			if b != byte(i) {
				t.Fatalf("message %d is %d", i, b)
			}
		}
	})
}

// [I] The same over connections that break, each of which loses a tail of what was on its way, with a client that acknowledges
// nothing twice, as the plugin.
func TestBytesComeOverConnectionsThatBreak(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		server, client := datachannel.NewServer(ids()), datachannel.NewClient(ids())
		n := rapid.IntRange(1, 300).Draw(t, "messages")
		have := map[int64]bool{}
		var got []byte
		take := func(p datachannel.Piece) bool { got = append(got, p.Payload...); return true }
		var wire [][]byte
		for sent, step := 0, 0; sent < n; step++ {
			if step > 10*n+1000 {
				t.Fatalf("stuck: %d of %d messages were sent", sent, n)
			}
			for burst := rapid.IntRange(0, 80).Draw(t, "burst"); burst > 0 && sent < n && server.Free(); burst-- {
				wire = append(wire, server.Send(start, datachannel.Output, []byte{byte(sent)}))
				sent++
			}
			arrive, acks := len(wire), len(wire)
			broken := rapid.Bool().Draw(t, "broken")
			if broken {
				arrive = rapid.IntRange(0, len(wire)).Draw(t, "frames that arrive")
				acks = rapid.IntRange(0, arrive).Draw(t, "acks that arrive")
			}
			for i, frame := range wire[:arrive] {
				m, err := datachannel.Decode(frame)
				if err != nil {
					t.Fatal(err)
				}
				ack := client.Receive(start, frame, take)
				if !have[m.Sequence] && i < acks {
					server.Receive(start, ack, yes)
				}
				have[m.Sequence] = true
			}
			wire = nil
			if broken {
				wire = server.Resume(start)
			}
		}
		for _, frame := range append(wire, server.Resume(start)...) {
			client.Receive(start, frame, take)
		}
		if len(got) != n {
			t.Fatalf("%d of %d messages came", len(got), n)
		}
		for i, b := range got {
			if b != byte(i) {
				t.Fatalf("message %d is %d", i, b)
			}
		}
	})
}

// The handshake to the letter, as the plugin was seen to take and to send it (AGENT-PROTOCOL §5.5) [run].
func TestHandshake(t *testing.T) {
	q := datachannel.Request{AgentVersion: "3.3.0.0", RequestedClientActions: []datachannel.Action{{ActionType: "SessionType",
		ActionParameters: datachannel.Parameters{SessionType: datachannel.SessionInteractive, Properties: struct{}{}}}}}
	b, err := json.Marshal(q)
	want := `{"AgentVersion":"3.3.0.0","RequestedClientActions":[{"ActionType":"SessionType","ActionParameters":{"SessionType":"InteractiveCommands","Properties":{}}}]}`
	if err != nil || string(b) != want {
		t.Errorf("got  %s, %v\nwant %s", b, err, want)
	}
	var r datachannel.Response
	plugin := `{"ClientVersion":"1.3.0.0","ProcessedClientActions":[{"ActionType":"SessionType","ActionStatus":%d,"ActionResult":null,"Error":"%s"}],"Errors":null}`
	if err := json.Unmarshal(fmt.Appendf(nil, plugin, 1, ""), &r); err != nil || r.Refusal() != "" {
		t.Errorf("a client that agrees: %v, %q", err, r.Refusal())
	}
	if err := json.Unmarshal(fmt.Appendf(nil, plugin, 3, "unknown"), &r); err != nil || r.Refusal() != "SessionType: unknown" {
		t.Errorf("a client that refuses: %v, %q", err, r.Refusal())
	}
	if b, err := json.Marshal(q.Agree("1.3.0.0", nil)); err != nil || string(b) != fmt.Sprintf(plugin, 1, "") {
		t.Errorf("our client says %s, %v", b, err)
	}
}
