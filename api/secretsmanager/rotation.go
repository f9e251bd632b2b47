package secretsmanager

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Pauses after a step that failed: doubled each time.
const (
	firstPause = time.Minute
	longPause  = time.Hour
)

// due is when something is to be done for a secret's rotation, 0 for never.
func due(row *model.Secret) model.Millis {
	r := row.Rotation
	switch {
	case r == nil || !r.Enabled || row.DeletedAt != 0:
		return 0
	case r.Version != "":
		return r.CallAt
	}
	return r.NextAt
}

// perform does for a rotation what is due: it begins one, or does the step that the row says. A member that is killed meanwhile has its
// successor do the step again.
func (a *api) perform(ctx context.Context, key string) error {
	row, ok := a.DB.Snapshot().Secrets.Get(key)
	if !ok || due(row) == 0 || due(row) > a.now() {
		return nil
	}
	r := row.Rotation
	if r.Version == "" {
		return a.open(ctx, key)
	}
	var answer answered
	var err error
	if r.Target != passwordTarget {
		answer, err = a.post(ctx, row)
	}
	if err == nil {
		err = a.change(ctx, key, r, func(tx *state.Tx, next *model.Secret) error { return a.settle(ctx, tx, next, answer) })
	}
	if err == nil || ctx.Err() != nil || errors.Is(err, state.ErrNotLeader) {
		return err
	}
	a.Log.Warn("rotate secret", "secret", row.ARN(), "step", r.Step, "failures", r.Failures+1, "err", err)
	return a.change(ctx, key, r, func(tx *state.Tx, next *model.Secret) error {
		if next.Rotation.Trial {
			endTrial(tx, next)
			return nil
		}
		postpone(next.Rotation, a.now())
		return nil
	})
}

// change changes a secret whose rotation is still at the step: what becomes of one that was cancelled is of no interest.
func (a *api) change(ctx context.Context, key string, at *model.Rotation, f func(tx *state.Tx, next *model.Secret) error) error {
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		row, ok := tx.Secrets.Get(key)
		if !ok || due(row) == 0 || row.Rotation.Version != at.Version || row.Rotation.Step != at.Step {
			return nil
		}
		next := *row
		next.Rotation = new(*row.Rotation)
		if err := f(tx, &next); err != nil {
			return err
		}
		tx.Secrets.Put(&next)
		return nil
	})
}

// over: there is no rotation under way.
func over(r *model.Rotation) {
	r.Version, r.Trial, r.Step, r.Failures, r.CallAt = "", false, "", 0, 0
}

func postpone(r *model.Rotation, now model.Millis) {
	pause := min(firstPause<<min(r.Failures, 10), longPause)
	r.Failures++
	r.CallAt = now + pause.Milliseconds()
}

// open begins the rotation of a window. While an earlier one has left its AWSPENDING behind there is none [D]: the next window is the next try.
func (a *api) open(ctx context.Context, key string) error {
	version, err := uuid.NewRandomFromReader(a.Random)
	if err != nil {
		return err
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		now, ok := tx.Secrets.Get(key)
		if !ok || due(now) == 0 || due(now) > a.now() || now.Rotation.Version != "" {
			return nil
		}
		next := *now
		r := *now.Rotation
		r.NextAt = opens(&r, a.now())
		next.Rotation = &r
		if err := a.begin(tx, &next, version.String()); err != nil {
			a.Log.Warn("rotate secret", "secret", now.ARN(), "err", err)
		}
		tx.Secrets.Put(&next)
		return nil
	})
}

// settle writes down what a step has done, and what is next. The row's rotation is a copy.
func (a *api) settle(ctx context.Context, tx *state.Tx, row *model.Secret, answer answered) error {
	r := row.Rotation
	if r.Trial {
		endTrial(tx, row)
		return nil
	}
	switch r.Step {
	case stepCreate:
		if err := a.made(ctx, tx, row, answer); err != nil {
			return err
		}
	case stepFinish:
		row.Versions = slices.Clone(row.Versions)
		if v, err := choose(row, "", current); err != nil || v.ID != r.Version { // the target has left that to us
			attach(row, current, r.Version)
		}
		detach(row, pending)
		r.LastAt, r.NextAt = a.now(), opens(r, a.now())
		over(r)
		row.ChangedAt = a.now()
		return nil
	}
	r.Step, r.Failures, r.CallAt = after(r.Step), 0, a.now()
	return nil
}

// made sees to it that the new version has a value: the target has put it, or says it in its answer, or we make it.
func (a *api) made(ctx context.Context, tx *state.Tx, row *model.Secret, answer answered) error {
	r := row.Rotation
	if !slices.ContainsFunc(row.Versions, func(v model.SecretStages) bool { return v.ID == r.Version }) {
		return errors.New("the version that is to be made is gone")
	}
	if has(tx.Tables, row, r.Version) {
		return nil
	}
	v := &value{id: r.Version}
	switch {
	case r.Target == passwordTarget:
		var err error
		if v.plain, err = a.renewed(ctx, tx.Tables, row); err != nil {
			return err
		}
	case answer.SecretString != nil:
		v.plain = []byte(*answer.SecretString)
	default:
		return errors.New("the target has neither put a value nor answered with SecretString")
	}
	if len(v.plain) > maxValue {
		return errors.New("the new value is too long")
	}
	return a.own().add(ctx, tx, row, v, []string{pending})
}
