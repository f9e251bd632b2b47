package server

import (
	"fmt"
	"testing"

	"github.com/roadstead/roadstead/model"
)

// NoLogs is what somebody is told who asks for the logs of a task that err says are not there.
func NoLogs(t *model.Task, err error) error { return noLogs(t, err) }

// Opened are the materials of all keys of KMS, and the secret keys of issuers, as they are when they are used.
func Opened(t *testing.T, s *Server) map[string]string {
	t.Helper()
	found := map[string]string{}
	add := func(what string, plain []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		found[what] = string(plain)
	}
	for k := range s.db.Snapshot().KMSKeys.All() {
		for i := range k.Materials {
			plain, err := s.seal.Open(k.Materials[i].Sealed, fmt.Sprintf("%s#%d", k.Key(), i))
			add("a material of the key "+k.ID, plain, err)
		}
	}
	for issuer := range s.db.Snapshot().TokenIssuers.All() {
		for i := range issuer.Keys {
			k := &issuer.Keys[i]
			plain, err := s.seal.Open(k.Sealed, issuer.KeyName(k))
			add("the issuer's key "+k.Algorithm, plain, err)
		}
	}
	return found
}
