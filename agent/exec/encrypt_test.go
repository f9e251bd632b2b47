package exec_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/datachannel"
)

func encrypted(m *acs.RoadsteadOpenExec) {
	m.KMSKey, m.Target, m.Log = "alias/exec", "ecs:c_t_r", &acs.ExecLog{Bucket: "b"}
}

// withKey makes the client one that gets keys from KMS for the session and the target.
func (s *site) withKey(session, target string) *client {
	s.t.Helper()
	return s.connectWith(session, func(c *client) {
		c.makeKey = func(with string) (plain, blob []byte) {
			plain, blob = bytes.Repeat([]byte{1, 2, 3, 4}, 16), []byte("blob")
			in, _ := json.Marshal(map[string]any{"CiphertextBlob": blob, "KeyId": with, "EncryptionContext": datachannel.KeyContext(session, target)})
			s.archive.mu.Lock()
			defer s.archive.mu.Unlock()
			s.archive.sessionKeys = map[string][]byte{string(in): plain}
			return plain, blob
		}
	})
}

// [D] kmsKeyId, [code] AGENT-PROTOCOL §5.5: nothing goes between the client and the node that is not encrypted with a key that both got
// from KMS; what is put away is what was shown.
func TestEncryptedSession(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1", encrypted)
		c := s.withKey("s1", "ecs:c_t_r")
		c.resize(80, 25)
		p := s.process(0)
		c.send(datachannel.Output, c.cipher.Seal([datachannel.NonceSize]byte{7}, []byte("input")))
		b := make([]byte, 5)
		if _, err := p.inR.Read(b); err != nil || string(b) != "input" {
			t.Errorf("the command reads %q, %v", b, err)
		}
		p.say(t, "top secret")
		p.exit(0)
		r := s.record()
		if string(c.got) != "top secret" || len(c.sealed) == 0 || bytes.Contains(c.sealed, []byte("secret")) {
			t.Errorf("the client sees %q, of %q", c.got, c.sealed)
		}
		if s.archive.objects["b/s1.log"] != "top secret" || r.BytesIn != 5 {
			t.Errorf("the object has %q, record %+v", s.archive.objects["b/s1.log"], r)
		}
	})
}

// A client without the key gets nowhere, a role that may not decrypt it neither, and what is not encrypted ends the session.
func TestEncryptedSessionRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		target string
		deny   string
		tamper func(*client)
		want   string
	}{
		"another target's key": {target: "ecs:c_t_other", want: "decrypt the session's key: InvalidCiphertextException"},
		"the role may not":     {target: "ecs:c_t_r", deny: "kms:Decrypt", want: "decrypt the session's key: AccessDeniedException"},
		"plain input": {target: "ecs:c_t_r", tamper: func(c *client) { c.resize(80, 25); c.typed("plain input of a client") },
			want: "decrypt a piece of a session"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *site) {
				s.archive.may = func(action string) bool { return action != c.deny }
				s.open("s1", encrypted)
				cl := s.withKey("s1", c.target)
				if c.tamper != nil {
					c.tamper(cl)
				}
				r := s.record()
				synctest.Wait()
				if !strings.Contains(r.Reason, c.want) || cl.closed == nil {
					t.Errorf("record %+v, end %+v", r, cl.closed)
				}
			})
		})
	}
}

// A client that does not encrypt at all.
func TestEncryptedSessionWithoutAKey(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1", encrypted)
		s.connectWith("s1", func(c *client) { c.makeKey = func(string) (plain, blob []byte) { return make([]byte, 64), nil } })
		if r := s.record(); !strings.Contains(r.Reason, "the client has no key") || len(s.processes) > 0 {
			t.Errorf("record %+v", r)
		}
	})
}
