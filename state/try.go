package state

import (
	"context"
	"errors"
)

// errTried takes a trial's changes back.
var errTried = errors.New("tried")

// Try runs f on the head as Update does, and takes back whatever it changed: what would happen, without it happening. It
// is answered when what f saw is durable, with f's error or with those of Update.
func (db *DB) Try(ctx context.Context, f func(*Tx) error) error {
	err := db.Update(ctx, func(tx *Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		return nil
	}
	return err
}
