package auth_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/seal"
)

func newSealer(t testing.TB) *seal.Sealer {
	t.Helper()
	s, err := seal.New(bytes.Repeat([]byte{7}, seal.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A row has its secret sealed, for itself alone. One from before that was done is read as it is.
func TestSealedKey(t *testing.T) {
	s := newSealer(t)
	k := model.AccessKey{ID: keyID, Secret: secret, Account: "000000000000", Kind: model.KeyUser, UserID: "AIDA1"}
	row := auth.SealKey(s, k)
	if text, err := json.Marshal(row); err != nil || bytes.Contains(text, []byte(secret)) {
		t.Errorf("the row is %s, %v", text, err)
	}
	for what, row := range map[string]*model.AccessKey{"sealed": row, "from before": &k} {
		got, err := auth.OpenKey(s, row)
		if err != nil || got.Secret != secret || got.UserID != "AIDA1" {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	other := *row
	other.ID = "AKIAOTHER"
	if got, err := auth.OpenKey(s, &other); err == nil || got.Secret != "" {
		t.Errorf("a secret in another key's row opens: %+v", got)
	}
}
