package datachannel_test

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/datachannel"
)

// [code] AGENT-PROTOCOL §5.3: a frame to the byte. The halves of the id change places, the type is padded with blanks.
func TestFrameToTheByte(t *testing.T) {
	m := datachannel.Message{Type: datachannel.InputStream, CreatedAt: 0x0102030405, Sequence: 7, Flags: 3, PayloadType: datachannel.Size, Payload: []byte("abc")}
	for i := range m.ID {
		m.ID[i] = byte(i)
	}
	want := "00000074" + hex.EncodeToString([]byte("input_stream_data"+strings.Repeat(" ", 15))) + "00000001" +
		"0000000102030405" + "0000000000000007" + "0000000000000003" + "08090a0b0c0d0e0f0001020304050607" +
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" + "00000003" + "00000003" + "616263"
	if got := hex.EncodeToString(m.Encode()); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if m.ID.String() != "00010203-0405-0607-0809-0a0b0c0d0e0f" {
		t.Errorf("id %s", m.ID)
	}
	back, err := datachannel.Decode(m.Encode())
	if err != nil || !reflect.DeepEqual(*back, m) {
		t.Fatalf("got %+v, %v", back, err)
	}
}

// [code] NULs pad a type as well as blanks; a frame whose payload is not what it says is none.
func TestDecode(t *testing.T) {
	whole := (&datachannel.Message{Type: datachannel.OutputStream, Payload: []byte("abc")}).Encode()
	nul := bytes.ReplaceAll(whole, []byte{' '}, []byte{0})
	if m, err := datachannel.Decode(nul); err != nil || m.Type != datachannel.OutputStream {
		t.Errorf("padded with NULs: %+v, %v", m, err)
	}
	spoil := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 1
		return b
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "cut": whole[:len(whole)-1], "a header only": whole[:116], "another header": spoil(3),
		"another payload": spoil(len(whole) - 1), "another digest": spoil(80), "another length": spoil(119), "more": append(bytes.Clone(whole), 0),
	} {
		if _, err := datachannel.Decode(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add((&datachannel.Message{Type: datachannel.OutputStream, Payload: []byte("abc")}).Encode())
	f.Add(make([]byte, 120))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := datachannel.Decode(b)
		if err != nil || len(m.Type) > 32 {
			return
		}
		again, err := datachannel.Decode(m.Encode())
		if err != nil || again.Type != strings.TrimRight(m.Type, " \x00") || !bytes.Equal(again.Payload, m.Payload) || again.ID != m.ID {
			t.Fatalf("%+v comes back as %+v, %v", m, again, err)
		}
	})
}

func FuzzReceive(f *testing.F) {
	f.Add((&datachannel.Message{Type: datachannel.Acknowledge, Payload: []byte(`{"AcknowledgedMessageType":"output_stream_data"}`)}).Encode())
	f.Add((&datachannel.Message{Type: datachannel.InputStream, Sequence: -1}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		c := datachannel.NewServer(ids())
		c.Send(start, datachannel.Output, []byte("x"))
		c.Receive(start, b, func(datachannel.Piece) bool { return true })
		if n := c.Unacknowledged(); n != 0 && n != 1 {
			t.Fatalf("%d messages are on their way", n)
		}
	})
}
