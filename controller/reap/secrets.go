package reap

import (
	"slices"

	"github.com/roadstead/roadstead/model"
)

// secrets deletes those whose recovery window is over, with all their values.
func (r *reaper) secrets() {
	for _, s := range slices.Collect(r.tx.Secrets.All()) {
		if s.GoneAt == 0 || !r.take(s.GoneAt) {
			continue
		}
		for _, v := range s.Versions {
			r.tx.SecretValues.Delete(model.SecretValueKey(s.Scope, s.Name, s.Suffix, v.ID))
		}
		r.tx.Secrets.Delete(s.Key())
	}
}

// kmsKeys deletes those whose waiting period is over, with their aliases, and of others the materials that have expired.
func (r *reaper) kmsKeys() {
	for _, k := range slices.Collect(r.tx.KMSKeys.All()) {
		if end := k.MaterialExpires(); end != 0 && r.take(end) {
			r.tx.KMSKeys.Put(k.WithoutMaterial())
		}
		if k.GoneAt == 0 || !r.take(k.GoneAt) {
			continue
		}
		for _, g := range slices.Collect(r.tx.GrantsOf(k)) {
			if r.left == 0 {
				return // the key goes with the last of them
			}
			r.left--
			r.tx.KMSGrants.Delete(g.Key())
		}
		for _, a := range slices.Collect(r.tx.KMSAliases.Prefix(k.Scope.Key(""))) {
			if a.KeyID == k.ID {
				r.tx.KMSAliases.Delete(a.Key())
			}
		}
		r.tx.KMSKeys.Delete(k.Key())
	}
}

// parameters deletes those that their policies let expire, with all their versions.
func (r *reaper) parameters() {
	for _, p := range slices.Collect(r.tx.Parameters.All()) {
		if p.GoneAt == 0 || !r.take(p.GoneAt) {
			continue
		}
		for n := p.Oldest; n <= p.Version; n++ {
			key := model.ParameterVersionKey(p.Scope, p.Name, n)
			if _, ok := r.tx.ParameterVersions.Get(key); !ok {
				continue
			}
			if r.left == 0 {
				return // the parameter goes with the last of them
			}
			r.left--
			r.tx.ParameterVersions.Delete(key)
		}
		r.tx.Parameters.Delete(p.Key())
	}
}
