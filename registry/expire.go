package registry

import (
	"context"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/roadstead/roadstead/model"
)

// Expire removes the images whose digests judge picks from all, with their tags. Nothing is pushed, tagged or deleted in between.
func (p *Repository) Expire(ctx context.Context, judge func(all []Image) (going []string)) error {
	all, err := p.Images(ctx)
	if err != nil || len(judge(all)) == 0 {
		return err // most of the time nothing is to be changed, nor published
	}
	return p.change(ctx, func(*model.Repository) ([]digest.Digest, error) {
		all, err := p.Images(ctx)
		if err != nil {
			return nil, err
		}
		for _, dgst := range judge(all) {
			i := slices.IndexFunc(all, func(i Image) bool { return i.Digest == dgst })
			if i < 0 {
				continue
			}
			if err := p.forget(ctx, &all[i]); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}
