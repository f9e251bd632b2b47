package datachannel_test

import (
	"bytes"
	"testing"

	"github.com/roadstead/roadstead/datachannel"
)

// Each end opens what the other has sealed, and neither its own, nor what was changed on its way.
func TestCipher(t *testing.T) {
	key := make([]byte, datachannel.CipherKey)
	for i := range key {
		key[i] = byte(i)
	}
	server, err := datachannel.NewServerCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := datachannel.NewClientCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	nonce := [datachannel.NonceSize]byte{1}
	for _, way := range [][2]*datachannel.Cipher{{server, client}, {client, server}} {
		sealed := way[0].Seal(nonce, []byte("a piece"))
		if got, err := way[1].Open(sealed); err != nil || string(got) != "a piece" || bytes.Contains(sealed, []byte("piece")) {
			t.Errorf("%q opens as %q, %v", sealed, got, err)
		}
		if _, err := way[0].Open(sealed); err == nil {
			t.Error("an end opens its own")
		}
		sealed[len(sealed)-1] ^= 1
		if _, err := way[1].Open(sealed); err == nil {
			t.Error("what was changed is opened")
		}
	}
	if _, err := server.Open([]byte("short")); err == nil {
		t.Error("less than a nonce is opened")
	}
	if _, err := datachannel.NewServerCipher(key[:32]); err == nil {
		t.Error("half a key is taken")
	}
}
