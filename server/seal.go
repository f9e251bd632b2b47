package server

import (
	"context"
	"path/filepath"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/seal"
	"github.com/roadstead/roadstead/state"
)

// sealFile is where a member that is alone keeps its key.
const sealFile = "seal.key"

// openSeal opens the sealer of secrets: with the key file of the configuration; else, if this member is alone, with one that it
// makes in its data directory; else, because all members have to have the same, with a key that they derive from the root secret.
func (s *Server) openSeal() error {
	var keys [][]byte
	var err error
	switch {
	case s.cfg.SealKey != "":
		keys, err = seal.ReadKeys(s.cfg.SealKey)
	case s.cfg.InitialCluster == "" && len(s.cfg.EtcdEndpoints) == 0 && s.cfg.Backend == nil:
		keys, err = seal.OpenKeys(filepath.Join(s.cfg.DataDir, sealFile))
	default:
		var k []byte
		k, err = s.deriveKey("roadstead seal")
		keys = [][]byte{k}
	}
	if err == nil {
		s.seal, err = seal.New(keys...)
	}
	return err
}

// isSealed reports whether the key is among the rows, its secret sealed.
func (s *Server) isSealed(tx *state.Tx, k *model.AccessKey) bool {
	row, ok := tx.AccessKeys.Get(k.ID)
	if !ok || row.Secret != "" {
		return false
	}
	have, err := auth.OpenKey(s.seal, row)
	return err == nil && have.Secret == k.Secret
}

// sealBatch is how many access keys are sealed in one update, which has to fit into a transaction.
const sealBatch = 500

// sealKeys seals the secrets of access keys from before that was done.
func (s *Server) sealKeys(ctx context.Context) error {
	for more := true; more; {
		err := s.db.Update(ctx, func(tx *state.Tx) error {
			var open []*model.AccessKey
			for k := range tx.AccessKeys.All() {
				if k.Secret != "" {
					open = append(open, k)
				}
			}
			if more = len(open) > sealBatch; more {
				open = open[:sealBatch]
			}
			for _, k := range open {
				tx.AccessKeys.Put(auth.SealKey(s.seal, *k))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
