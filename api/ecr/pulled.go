package ecr

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/state"
)

// DetailPulled is the detail type of the event that is the record of a pull by another account; it is one of the repository's owner.
// AWS has none: there CloudTrail knows.
const DetailPulled = "Roadstead ECR Image Pulled By Another Account"

// pulledDetail is the detail of DetailPulled.
type pulledDetail struct {
	RepositoryName   string `json:"repositoryName"`
	ImageDigest      string `json:"imageDigest"`
	ImageTag         string `json:"imageTag,omitempty"`
	Principal        string `json:"principal"`
	PrincipalAccount string `json:"principalAccount"`
}

// pulledOnce is how long the same pull is recorded once: clients read a manifest by its tag and again by its digest, and a hundred tasks
// of a service are one to know of.
const pulledOnce = time.Minute

// Pulled takes note that somebody pulls an image: when, and if he is of another account, who. Who cannot be recorded then gets none.
func (a *API) Pulled(ctx context.Context, p registry.Pull) error {
	if err := a.notePull(ctx, p); err != nil && ctx.Err() == nil {
		a.Log.Warn("note when an image was pulled", "repository", p.Scope.Key(p.Repository), "image", p.Digest, "err", err)
	}
	if p.PrincipalsAccount == p.Account {
		return nil
	}
	now := a.Now()
	of := fmt.Sprint(p.Scope.Key(p.Repository), " ", p.Digest, " ", p.Principal)
	if a.pulledBefore(of, now) {
		return nil
	}
	b, err := json.Marshal(pulledDetail{p.Repository, p.Digest, p.Tag, p.Principal, p.PrincipalsAccount})
	if err != nil {
		return fmt.Errorf("record a pull: %w", err)
	}
	a.Log.Info("audit", "event", DetailPulled, "account", p.Account, "detail", string(b))
	row := model.Event{
		Scope: p.Scope, ID: uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, of, now.UnixMilli())).String(), At: now.UnixMilli(),
		DetailType: DetailPulled, Resources: []string{p.Scope.ARN("ecr", "repository/"+p.Repository)}, Detail: string(b),
	}
	if err := a.DB.Update(ctx, func(tx *state.Tx) error { tx.Events.Put(&row); return nil }); err != nil {
		return fmt.Errorf("record a pull: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pulled[of] = now
	return nil
}

// pulledBefore says whether a pull was recorded a moment ago.
func (a *API) pulledBefore(of string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.pulled, func(_ string, at time.Time) bool { return now.Sub(at) >= pulledOnce })
	_, ok := a.pulled[of]
	return ok
}

// pulledByCall takes note of a call of BatchGetImage, for each image that it gets.
func (a *API) pulledByCall(ctx context.Context, row *model.Repository, m registry.Manifest, tag string) error {
	p, err := caller(ctx)
	if err != nil {
		return err
	}
	return a.Pulled(ctx, registry.Pull{
		Scope: row.Scope, Repository: row.Name, Digest: m.Digest, Tag: tag, Principal: p.ARN, PrincipalsAccount: p.Account,
	})
}
