package server

import (
	"path/filepath"

	"github.com/roadstead/roadstead/seal"
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
