package s3

import (
	"bytes"
	"context"
	"encoding/hex"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Deposit puts an object into a bucket of the scope's account, for another service: that has asked the policies. It refuses as PutObject
// does, with NoSuchBucket or AccessDenied.
func (a *API) Deposit(ctx context.Context, of model.Scope, bucket, key string, body []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	b, ok := a.DB.Snapshot().Buckets.Get(bucket)
	switch {
	case !ok:
		return errNoBucket(bucket)
	case b.Account != of.Account:
		return errDenied()
	}
	content, err := a.Store.Put(ctx, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return err
	}
	row := &model.Object{Bucket: b.ID, Name: key, Size: content.Size, ETag: hex.EncodeToString(content.MD5[:]), Contents: contents(content)}
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		if err := same(tx, b); err != nil {
			return err
		}
		row.ModifiedAt = a.now()
		tx.Objects.Put(row)
		return nil
	})
}
