package seal_test

import (
	"bytes"
	"testing"

	"github.com/roadstead/roadstead/seal"
)

// [D] A blob opens with its key's material and its encryption context, and with nothing else; it names its key.
func TestBlob(t *testing.T) {
	const id = "1234abcd-12ab-34cd-56ef-1234567890ab"
	one, two := bytes.Repeat([]byte{1}, seal.KeyBytes), bytes.Repeat([]byte{2}, seal.KeyBytes)
	context := map[string]string{"a": "b", "c": "d"}
	blob, err := seal.Blob(id, 3, one, []byte("text"), context)
	if err != nil {
		t.Fatal(err)
	}
	if key, version, ok := seal.BlobKey(blob); key != id || version != 3 || !ok {
		t.Errorf("it is of %s, %d, %t", key, version, ok)
	}
	if plain, err := seal.OpenBlob(one, blob, context); err != nil || string(plain) != "text" {
		t.Errorf("%q, %v", plain, err)
	}
	for what, c := range map[string]map[string]string{"none": nil, "a part": {"a": "b"}, "shifted": {"ab": "", "c": "d"}, "another": {"a": "b", "c": "e"}} {
		if _, err := seal.OpenBlob(one, blob, c); err == nil {
			t.Errorf("it opens with the context %s", what)
		}
	}
	if _, err := seal.OpenBlob(two, blob, context); err == nil {
		t.Error("it opens with another key")
	}
	for i := range blob {
		bad := bytes.Clone(blob)
		bad[i] ^= 1
		if _, err := seal.OpenBlob(one, bad, context); err == nil {
			t.Errorf("it opens with byte %d changed", i)
		}
		if _, err := seal.OpenBlob(one, blob[:i], context); err == nil {
			t.Errorf("it opens without what follows byte %d", i)
		}
	}
}
