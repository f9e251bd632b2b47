package exec

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/roadstead/roadstead/datachannel"
)

// keyPatience bounds the wait for KMS, and for the credentials of the task's role.
const keyPatience = 20 * time.Second

// challenge opens the key that the client had KMS make, with the rights of the task's role, and has the client show that it has it, too
// (AGENT-PROTOCOL §5.5).
func (x *session) challenge(ctx context.Context, r *datachannel.Response) error {
	var key datachannel.SessionKey
	if json.Unmarshal(r.Result(datachannel.ActionEncrypt), &key) != nil || len(key.Blob) == 0 {
		return errors.New("handshake: the client has no key for this encrypted session")
	}
	ctx, cancel := context.WithTimeout(ctx, keyPatience)
	defer cancel()
	plain, err := x.openKey(ctx, key.Blob)
	if err != nil {
		return fmt.Errorf("decrypt the session's key: %w", err)
	}
	if x.cipher, err = datachannel.NewServerCipher(plain); err != nil {
		return err
	}
	x.riddle = make([]byte, datachannel.CipherKey)
	_, _ = rand.Read(x.riddle) // never fails
	x.sendJSON(datachannel.ChallengeRequest, datachannel.Challenge{Challenge: x.seal(x.riddle)})
	return nil
}

func (x *session) openKey(ctx context.Context, blob []byte) ([]byte, error) {
	who, err := x.cfg.Role(ctx, x.open.TaskArn)
	if err != nil {
		return nil, err
	}
	var out struct{ Plaintext []byte }
	err = who.Call(ctx, "kms", "Decrypt", map[string]any{
		"CiphertextBlob": blob, "KeyId": x.open.KMSKey, "EncryptionContext": datachannel.KeyContext(x.open.SessionID, x.open.Target),
	}, &out)
	return out.Plaintext, err
}

// proven goes on with a client that has the key.
func (x *session) proven(ctx context.Context, payload []byte) {
	if x.agreed || x.cipher == nil {
		return
	}
	var c datachannel.Challenge
	err := json.Unmarshal(payload, &c)
	var riddle []byte
	if err == nil {
		riddle, err = x.cipher.Open(c.Challenge)
	}
	if err != nil || subtle.ConstantTimeCompare(riddle, x.riddle) != 1 {
		x.fail(ctx, errors.New("handshake: the client does not have the session's key"))
		return
	}
	x.shaken()
}

// seal encrypts a piece.
func (x *session) seal(b []byte) []byte {
	var nonce [datachannel.NonceSize]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return x.cipher.Seal(nonce, b)
}

// takeSealed queues input, which is encrypted in an encrypted session. What is not, or not with its key, ends it.
func (x *session) takeSealed(ctx context.Context, b []byte) bool {
	if x.open.KMSKey == "" {
		return x.take(b)
	}
	if !x.agreed {
		return true
	}
	plain, err := x.cipher.Open(b)
	if err != nil {
		x.fail(ctx, err)
		return true
	}
	return x.take(plain)
}
