package secretsmanager

import (
	"context"
	"slices"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// try tries a rotation out that is not to begin at once: the target is told of testSecret, about a version with AWSPENDING that goes
// again when it has answered [D]. Its value is that of AWSCURRENT [I]. There is none while there is an AWSPENDING, nor of our own target,
// which was asked already.
func (a *api) try(ctx context.Context, tx *state.Tx, row *model.Secret, version string) error {
	r := row.Rotation
	waits := slices.ContainsFunc(row.Versions, func(v model.SecretStages) bool { return slices.Contains(v.Stages, pending) || v.ID == version })
	if r.Version != "" || r.Target == passwordTarget || waits {
		return nil
	}
	from, err := choose(row, "", current)
	if err != nil {
		return err
	}
	kept, ok := tx.SecretValues.Get(model.SecretValueKey(row.Scope, row.Name, row.Suffix, from.ID))
	if !ok {
		return noVersion("", current)
	}
	plain, err := a.unlock(ctx, tx.Tables, a.keys.Unasked(), row, kept)
	if err != nil {
		return err
	}
	if err := a.own().add(ctx, tx, row, &value{id: version, plain: plain, binary: kept.Binary}, []string{pending}); err != nil {
		return err
	}
	r.Version, r.Trial, r.Step, r.Failures, r.CallAt = version, true, stepTest, 0, a.now()
	return nil
}

// endTrial takes the version of a trial away, unless somebody has made another use of it. The row's rotation is a copy.
func endTrial(tx *state.Tx, row *model.Secret) {
	version := row.Rotation.Version
	over(row.Rotation)
	row.Versions = slices.Clone(row.Versions)
	i := slices.IndexFunc(row.Versions, func(v model.SecretStages) bool { return v.ID == version })
	if i < 0 {
		return
	}
	v := &row.Versions[i]
	v.Stages = slices.DeleteFunc(slices.Clone(v.Stages), func(s string) bool { return s == pending })
	if len(v.Stages) == 0 {
		tx.SecretValues.Delete(model.SecretValueKey(row.Scope, row.Name, row.Suffix, version))
		row.Versions = slices.Delete(row.Versions, i, i+1)
	}
}
