package keyring

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/google/uuid"
)

// [D] A blob opens with its key's material and its encryption context, and with nothing else; it names its key.
func TestBlob(t *testing.T) {
	by := Ref{Account: "000000000012", Key: "1234abcd-12ab-34cd-56ef-1234567890ab", Version: 3}
	one, two := bytes.Repeat([]byte{1}, MaterialBytes), bytes.Repeat([]byte{2}, MaterialBytes)
	context := map[string]string{"a": "b", "c": "d"}
	sealed, err := blob(by, one, []byte("text"), context)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := Encrypted(sealed); got != by || !ok {
		t.Errorf("it is of %+v, %t", got, ok)
	}
	if plain, err := openBlob(one, sealed, context); err != nil || string(plain) != "text" {
		t.Errorf("%q, %v", plain, err)
	}
	for what, c := range map[string]map[string]string{"none": nil, "a part": {"a": "b"}, "shifted": {"ab": "", "c": "d"}, "another": {"a": "b", "c": "e"}} {
		if _, err := openBlob(one, sealed, c); err == nil {
			t.Errorf("it opens with the context %s", what)
		}
	}
	if _, err := openBlob(two, sealed, context); err == nil {
		t.Error("it opens with another key")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := openBlob(one, bad, context); err == nil {
			t.Errorf("it opens with byte %d changed", i)
		}
		if _, err := openBlob(one, sealed[:i], context); err == nil {
			t.Errorf("it opens without what follows byte %d", i)
		}
	}
}

// [I] Blobs of before, which do not say the account, open too.
func TestOldBlob(t *testing.T) {
	const id = "1234abcd-12ab-34cd-56ef-1234567890ab"
	material, context := bytes.Repeat([]byte{1}, MaterialBytes), map[string]string{"a": "b"}
	key := uuid.MustParse(id)
	head := binary.BigEndian.AppendUint32(append([]byte{oldMark}, key[:]...), 7)
	aead, err := blobCipher(material)
	if err != nil {
		t.Fatal(err)
	}
	old := aead.Seal(head, nil, []byte("text"), associated(head, context))
	if by, ok := Encrypted(old); !ok || by != (Ref{Key: id, Version: 7}) {
		t.Errorf("it is of %+v, %t", by, ok)
	}
	if plain, err := openBlob(material, old, context); err != nil || string(plain) != "text" {
		t.Errorf("%q, %v", plain, err)
	}
}
