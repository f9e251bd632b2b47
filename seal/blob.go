package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
)

// A blob is what a key of KMS has encrypted: a byte that says so, the key's id, the number of its material, and what AES-256-GCM
// makes of the text, with all before it and the encryption context as associated data.
const (
	blobMark = 0x4b
	blobHead = 1 + 16 + 4
)

// Blob encrypts a text with a key's material of KeyBytes. The key's id is a uuid.
func Blob(key string, version int, material, plain []byte, context map[string]string) ([]byte, error) {
	id, err := uuid.Parse(key)
	if err != nil {
		return nil, fmt.Errorf("the id of a key: %w", err)
	}
	aead, err := blobCipher(material)
	if err != nil {
		return nil, err
	}
	head := append([]byte{blobMark}, id[:]...)
	head = binary.BigEndian.AppendUint32(head, uint32(version))
	return aead.Seal(head, nil, plain, associated(head, context)), nil
}

// BlobKey says which key has encrypted a blob, and with which material. ok is false if none can have.
func BlobKey(blob []byte) (key string, version int, ok bool) {
	if len(blob) < blobHead || blob[0] != blobMark {
		return "", 0, false
	}
	return uuid.UUID(blob[1:17]).String(), int(binary.BigEndian.Uint32(blob[17:blobHead])), true
}

// OpenBlob decrypts what Blob made of the same material and the same encryption context; everything else is ErrDamaged.
func OpenBlob(material, blob []byte, context map[string]string) ([]byte, error) {
	if len(blob) < blobHead {
		return nil, ErrDamaged
	}
	aead, err := blobCipher(material)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, blob[blobHead:], associated(blob[:blobHead], context))
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

func blobCipher(material []byte) (cipher.AEAD, error) {
	if len(material) != KeyBytes {
		return nil, fmt.Errorf("the material of a key has %d bytes, not %d", len(material), KeyBytes)
	}
	block, err := aes.NewCipher(material)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// associated is a blob's head and its context: pairs by key, each text with its length before it, so that no two contexts are the same.
func associated(head []byte, context map[string]string) []byte {
	out := slices.Clone(head)
	for _, k := range slices.Sorted(maps.Keys(context)) {
		for _, text := range []string{k, context[k]} {
			out = binary.BigEndian.AppendUint32(out, uint32(len(text)))
			out = append(out, text...)
		}
	}
	return out
}
