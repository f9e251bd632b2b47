package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/google/uuid"
)

// A blob is what a key of KMS has encrypted: a byte that says so, the key's account and id, the number of its material, and what
// AES-256-GCM makes of the text, with all before it and the encryption context as associated data. The first blobs had no account.
const (
	oldMark  = 0x4b
	blobMark = 0x4c
	oldHead  = 1 + 16 + 4
	blobHead = oldHead + 8
)

// MaterialBytes is how long the material of a symmetric key is.
const MaterialBytes = 32

// ErrDamaged says that a blob is none, or does not belong to the key and the encryption context.
var ErrDamaged = errors.New("what was encrypted is damaged, or was encrypted with another context")

// Ref says which key has encrypted a blob.
type Ref struct {
	Account string // 12 digits; "" for a key of whoever has the blob
	Key     string // its id
	Version int    // of its material
}

// blob encrypts a text with a key's material of MaterialBytes. The key's id is a uuid.
func blob(by Ref, material, plain []byte, context map[string]string) ([]byte, error) {
	id, err := uuid.Parse(by.Key)
	if err != nil {
		return nil, fmt.Errorf("the id of a key: %w", err)
	}
	account, err := strconv.ParseUint(by.Account, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the account of a key: %w", err)
	}
	aead, err := blobCipher(material)
	if err != nil {
		return nil, err
	}
	head := binary.BigEndian.AppendUint64([]byte{blobMark}, account)
	head = append(head, id[:]...)
	head = binary.BigEndian.AppendUint32(head, uint32(by.Version))
	return aead.Seal(head, nil, plain, associated(head, context)), nil
}

// Encrypted says which key has encrypted a blob. ok is false if none can have.
func Encrypted(blob []byte) (by Ref, ok bool) {
	switch {
	case len(blob) >= blobHead && blob[0] == blobMark:
		by.Account = fmt.Sprintf("%012d", binary.BigEndian.Uint64(blob[1:9]))
		blob = blob[8:]
	case len(blob) >= oldHead && blob[0] == oldMark:
	default:
		return Ref{}, false
	}
	by.Key, by.Version = uuid.UUID(blob[1:17]).String(), int(binary.BigEndian.Uint32(blob[17:oldHead]))
	return by, true
}

// openBlob decrypts what blob made of the same material and the same encryption context; everything else is ErrDamaged.
func openBlob(material, blob []byte, context map[string]string) ([]byte, error) {
	by, ok := Encrypted(blob)
	if !ok {
		return nil, ErrDamaged
	}
	head := blobHead
	if by.Account == "" {
		head = oldHead
	}
	aead, err := blobCipher(material)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, blob[head:], associated(blob[:head], context))
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

func blobCipher(material []byte) (cipher.AEAD, error) {
	if len(material) != MaterialBytes {
		return nil, fmt.Errorf("the material of a key has %d bytes, not %d", len(material), MaterialBytes)
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
