package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/roadstead/roadstead/datachannel"
)

// makeKey has KMS make the key of an encrypted session, with the caller's rights, and returns it as the node can have it decrypted.
func (x *execSession) makeKey(ctx context.Context, kmsKey string) ([]byte, error) {
	var out struct{ Plaintext, CiphertextBlob []byte }
	err := x.client.Call(ctx, "kms", "GenerateDataKey", map[string]any{
		"KeyId": kmsKey, "NumberOfBytes": datachannel.CipherKey, "EncryptionContext": datachannel.KeyContext(x.grant.SessionID, x.grant.Target),
	}, &out)
	if err != nil {
		return nil, fmt.Errorf("make the key of an encrypted session: %w", err)
	}
	x.cipher, err = datachannel.NewClientCipher(out.Plaintext)
	return out.CiphertextBlob, err
}

// answerChallenge shows the node that we have the key.
func (x *execSession) answerChallenge(ctx context.Context, payload []byte) error {
	var c datachannel.Challenge
	if err := json.Unmarshal(payload, &c); err != nil || x.cipher == nil {
		return fmt.Errorf("a challenge without a key: %w", err)
	}
	riddle, err := x.cipher.Open(c.Challenge)
	if err != nil {
		return err
	}
	b, err := json.Marshal(datachannel.Challenge{Challenge: x.seal(riddle)})
	if err == nil {
		x.send(ctx, datachannel.ChallengeResponse, b)
	}
	return err
}

func (x *execSession) seal(b []byte) []byte {
	var nonce [datachannel.NonceSize]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return x.cipher.Seal(nonce, b)
}
