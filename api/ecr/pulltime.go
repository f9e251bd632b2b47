package ecr

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/state"
)

// pullTimeEvery is how exact the time of an image's last pull is: ECR writes it down once a day at least [D].
const pullTimeEvery = time.Hour

// notePull writes down when an image was pulled, unless that is known well enough, or it is not to be.
func (a *API) notePull(ctx context.Context, p registry.Pull) error {
	t, now := a.DB.Snapshot().Tables, a.Now()
	row := model.ImagePull{Scope: p.Scope, Repository: p.Repository, Digest: p.Digest, At: now.UnixMilli()}
	if have, ok := t.ImagePulls.Get(row.Key()); ok && now.Sub(time.UnixMilli(have.At)) < pullTimeEvery {
		return nil
	}
	if slices.ContainsFunc(registryOf(t, p.Scope).NoPullTime, func(arn string) bool { return isPrincipal(p.Principal, arn) }) {
		return nil
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error { tx.ImagePulls.Put(&row); return nil })
}

// isPrincipal says whether who calls is the user or the role with the ARN, or a session of that role.
func isPrincipal(who, arn string) bool {
	if who == arn {
		return true
	}
	session, okS := model.ParseARN(who)
	role, okR := model.ParseARN(arn)
	if !okS || !okR || session.Service != "sts" || session.Type() != "assumed-role" || role.Type() != "role" || session.Account != role.Account {
		return false
	}
	return session.Segments()[0] == arn[strings.LastIndexByte(arn, '/')+1:] // sessions name their role without its path
}

// showPull adds to an image when it was pulled last.
func showPull(d *types.ImageDetail, t *state.Tables, r *model.Repository) {
	if p, ok := t.ImagePulls.Get(model.ImagePullKey(r.Scope, r.Name, value(d.ImageDigest))); ok && p.At >= r.CreatedAt {
		d.LastRecordedPullTime = aws.Time(time.UnixMilli(p.At).UTC())
	}
}

// forgetPulls deletes what is known of images that are gone.
func (a *API) forgetPulls(ctx context.Context) error {
	there := map[string]map[string]bool{} // digests by repository
	isGone := func(s model.Scope, repository, digest string) (bool, error) {
		key := s.Key(repository)
		if _, ok := there[key]; !ok {
			digests, err := a.digests(ctx, s, repository)
			if err != nil {
				return false, err
			}
			there[key] = digests
		}
		return !there[key][digest], nil
	}
	t, gone := a.DB.Snapshot().Tables, []string(nil)
	for p := range t.ImagePulls.All() {
		if is, err := isGone(p.Scope, p.Repository, p.Digest); err != nil {
			return err
		} else if is {
			gone = append(gone, p.Key())
		}
	}
	for p := range t.ImageArchives.All() {
		if is, err := isGone(p.Scope, p.Repository, p.Digest); err != nil {
			return err
		} else if is {
			gone = append(gone, p.Key())
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		for _, key := range gone { // of both tables, whose keys are the same
			tx.ImagePulls.Delete(key)
			tx.ImageArchives.Delete(key)
		}
		return nil
	})
}

// maxExclusions bounds how many principals a registry excludes [I].
const maxExclusions = 100

var principalPattern = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[\w+=,.@/-]+$`)

func (a *API) registerPullTimeUpdateExclusion(ctx context.Context, in *ecr.RegisterPullTimeUpdateExclusionInput) (
	*ecr.RegisterPullTimeUpdateExclusionOutput, error,
) {
	arn := value(in.PrincipalArn)
	if !principalPattern.MatchString(arn) {
		return nil, invalid("principalArn", "must be the ARN of an IAM user or role") // [I] the words
	}
	_, err := a.changeRegistry(ctx, func(r *model.Registry) error {
		switch {
		case slices.Contains(r.NoPullTime, arn):
			return model.Errorf("ExclusionAlreadyExistsException", "The specified pull time update exclusion already exists for the registry.")
		case len(r.NoPullTime) >= maxExclusions:
			return model.Errorf("LimitExceededException", "The registry with id '%s' has %d pull time update exclusions already.", r.Account, maxExclusions) // [I] the words
		}
		r.NoPullTime = append(slices.Clone(r.NoPullTime), arn)
		slices.Sort(r.NoPullTime)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.RegisterPullTimeUpdateExclusionOutput{PrincipalArn: in.PrincipalArn, CreatedAt: aws.Time(a.Now().UTC())}, nil
}

func (a *API) deregisterPullTimeUpdateExclusion(ctx context.Context, in *ecr.DeregisterPullTimeUpdateExclusionInput) (
	*ecr.DeregisterPullTimeUpdateExclusionOutput, error,
) {
	_, err := a.changeRegistry(ctx, func(r *model.Registry) error {
		i := slices.Index(r.NoPullTime, value(in.PrincipalArn))
		if i < 0 {
			return model.Errorf("ExclusionNotFoundException", "The specified pull time update exclusion was not found.")
		}
		r.NoPullTime = slices.Delete(slices.Clone(r.NoPullTime), i, i+1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeregisterPullTimeUpdateExclusionOutput{PrincipalArn: in.PrincipalArn}, nil
}

func (a *API) listPullTimeUpdateExclusions(ctx context.Context, in *ecr.ListPullTimeUpdateExclusionsInput) (*ecr.ListPullTimeUpdateExclusionsOutput, error) {
	row, err := a.registry(ctx)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf("ListPullTimeUpdateExclusions", []string{row.Account, row.Region}, append([]string{}, row.NoPullTime...),
		func(arn string) string { return arn }, in.MaxResults, in.NextToken)
	return &ecr.ListPullTimeUpdateExclusionsOutput{PullTimeUpdateExclusions: page, NextToken: next}, err
}
