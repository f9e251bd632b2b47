package ecr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/state"
)

const (
	lookEvery    = 24 * time.Hour   // so often a tag that is here is looked up where it comes from [D]
	lookAgain    = 5 * time.Minute  // and so soon again if nobody answered there
	lookPatience = 10 * time.Second // for the answer
)

// Fetch sees to it that a repository whose images come from elsewhere has what ref, a tag or a digest, names: what is not here is
// fetched, and a tag is looked up there once a day. What is here is good enough if that fails. May says whether the caller may
// do something to the repository. A name that no rule is about, and an image that is not there either, are left to whoever looks next.
func (a *API) Fetch(ctx context.Context, s model.Scope, name, ref string, may func(action string) error) error {
	t := a.DB.Snapshot().Tables
	rule := ruleOf(t, s, name)
	if rule == nil || !registry.ValidName(name) {
		return nil
	}
	if need, err := a.isOld(ctx, s, name, ref); err != nil || !need {
		return err
	}
	if may("BatchImportUpstreamImage") != nil {
		return nil
	}
	if _, ok := t.Repositories.Get(s.Key(name)); !ok && may("CreateRepository") != nil {
		return nil
	}
	done, err := a.one(ctx, s.Key(name))
	if err != nil {
		return err
	}
	defer done()
	if need, err := a.isOld(ctx, s, name, ref); err != nil || !need { // somebody else has fetched it
		return err
	}
	err = a.fetch(ctx, rule, s, name, ref)
	has, lookErr := a.has(ctx, s, name, ref)
	switch {
	case lookErr != nil || err == nil || errors.Is(err, registry.ErrNotUpstream):
		return lookErr
	case has:
		a.Log.Warn("an image is not looked up where it comes from, so the one that is here is served", "repository", s.Key(name), "ref", ref, "err", err)
		return a.looked(ctx, s, name, ref, a.Now().Add(lookAgain-lookEvery))
	case model.ErrorCode(err) != "":
		return err
	}
	return model.Errorf("UnableToGetUpstreamImageException", "The image '%s:%s' could not be pulled from the upstream registry %s: %s", name, ref, rule.Upstream, err) // [D] the code
}

// ruleOf is the rule of the longest prefix that covers the name; nil for none.
func ruleOf(t *state.Tables, s model.Scope, name string) (best *model.PullThroughRule) {
	longest := -1
	for row := range t.PullThroughRules.Prefix(s.Key("")) {
		if n, ok := model.Covers(row.Prefix, name); ok && n > longest {
			best, longest = row, n
		}
	}
	return best
}

func isDigest(ref string) bool { return strings.Contains(ref, ":") }

// isOld says whether an image is not here, or was last looked up too long ago.
func (a *API) isOld(ctx context.Context, s model.Scope, name, ref string) (bool, error) {
	has, err := a.has(ctx, s, name, ref)
	if err != nil || !has || isDigest(ref) {
		return !has, err
	}
	look, ok := a.DB.Snapshot().UpstreamLooks.Get(model.UpstreamLookKey(s, name, ref))
	return !ok || a.Now().Sub(time.UnixMilli(look.At)) >= lookEvery, nil
}

func (a *API) has(ctx context.Context, s model.Scope, name, ref string) (bool, error) {
	if _, ok := a.DB.Snapshot().Repositories.Get(s.Key(name)); !ok {
		return false, nil
	}
	images, err := a.Images.Repository(ctx, s, name)
	if err != nil {
		return false, err
	}
	r := registry.Reference{Tag: ref}
	if isDigest(ref) {
		r = registry.Reference{Digest: ref}
	}
	_, err = images.Manifest(ctx, r)
	if model.ErrorCode(err) == "ImageNotFoundException" {
		return false, nil
	}
	return err == nil, err
}

// fetch looks an image up where it comes from, and stores it if it is another one than what is here.
func (a *API) fetch(ctx context.Context, rule *model.PullThroughRule, s model.Scope, name, ref string) error {
	from, err := a.origin(ctx, rule, upstreamName(rule, name))
	if err != nil {
		return err
	}
	look, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	m, err := from.manifest(look, ref)
	if err != nil {
		if errors.Is(err, registry.ErrNotUpstream) { // that is an answer, too
			return errors.Join(err, a.looked(ctx, s, name, ref, a.Now()))
		}
		return err
	}
	if _, err := a.make(ctx, s, name, string(types.RCTAppliedForPullThroughCache), true); err != nil {
		return err
	}
	var tags []string
	if !isDigest(ref) {
		tags = []string{ref}
	}
	if _, err := a.Images.Copy(ctx, s, name, m, tags, from.source); err != nil {
		return fmt.Errorf("fetch image %s of %s: %w", m.Digest, rule.Upstream, err)
	}
	return a.looked(ctx, s, name, ref, a.Now())
}

// upstreamName is what a repository is called where its images come from.
func upstreamName(rule *model.PullThroughRule, name string) string {
	if rule.Prefix != model.RootPrefix {
		name = strings.TrimPrefix(name, strings.TrimSuffix(rule.Prefix, "/")+"/")
	}
	if rule.UpstreamPrefix == "" || rule.UpstreamPrefix == model.RootPrefix {
		return name
	}
	return strings.TrimSuffix(rule.UpstreamPrefix, "/") + "/" + name
}

// upstream is the registry of a rule, with its login.
func (a *API) upstream(rule *model.PullThroughRule) (registry.Upstream, error) {
	up := registry.Upstream{URL: a.upstreamURL(rule.Upstream)}
	var err error
	up.User, up.Password, err = a.login(rule)
	return up, err
}

// login reads a rule's secret, a JSON object with username and accessToken [D]; "" if it has none.
func (a *API) login(rule *model.PullThroughRule) (user, password string, err error) {
	if rule.Credential == "" {
		return "", "", nil
	}
	unable := func(format string, args ...any) error {
		return model.Errorf("UnableToAccessSecretException", "The secret is unable to be accessed. Verify the resource permissions for the secret and try again. "+format, args...)
	}
	arn, ok := model.ParseARN(rule.Credential)
	if a.Secret == nil || !ok || arn.Scope != rule.Scope {
		return "", "", unable("It has to be of the registry's account and Region.")
	}
	text, err := a.Secret(rule.Scope, rule.Credential)
	if err != nil {
		return "", "", err
	}
	var login struct{ Username, AccessToken string }
	if err := json.Unmarshal([]byte(text), &login); err != nil || login.Username == "" || login.AccessToken == "" {
		return "", "", unable("It has to be a JSON object with username and accessToken.") // never what it is instead
	}
	return login.Username, login.AccessToken, nil
}

// looked writes down when a tag was looked up. One that is neither there nor here is not remembered: nobody could clear it away.
func (a *API) looked(ctx context.Context, s model.Scope, name, ref string, at time.Time) error {
	if isDigest(ref) {
		return nil
	}
	if has, err := a.has(ctx, s, name, ref); err != nil || !has {
		return err
	}
	row := model.UpstreamLook{Scope: s, Repository: name, Tag: ref, At: at.UnixMilli()}
	return a.DB.Update(ctx, func(tx *state.Tx) error { tx.UpstreamLooks.Put(&row); return nil })
}

// one waits until nobody else fetches into a repository.
func (a *API) one(ctx context.Context, key string) (done func(), err error) {
	for {
		a.mu.Lock()
		busy := a.fetching[key]
		if busy == nil {
			mine := make(chan struct{})
			a.fetching[key] = mine
			a.mu.Unlock()
			return func() {
				a.mu.Lock()
				defer a.mu.Unlock()
				delete(a.fetching, key)
				close(mine)
			}, nil
		}
		a.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// forgetLooks deletes what is known of tags that are gone.
func (a *API) forgetLooks(ctx context.Context) error {
	t := a.DB.Snapshot().Tables
	tags := map[string][]string{} // by repository
	var gone []string
	for l := range t.UpstreamLooks.All() {
		key := l.Scope.Key(l.Repository)
		if _, ok := tags[key]; !ok {
			there, err := a.tagsIn(ctx, l.Scope, l.Repository)
			if err != nil {
				return err
			}
			tags[key] = there
		}
		if !slices.Contains(tags[key], l.Tag) {
			gone = append(gone, l.Key())
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		for _, key := range gone {
			tx.UpstreamLooks.Delete(key)
		}
		return nil
	})
}

// tagsIn are the tags of a repository; none if it is gone.
func (a *API) tagsIn(ctx context.Context, s model.Scope, name string) (tags []string, err error) {
	tags = []string{}
	if _, ok := a.DB.Snapshot().Repositories.Get(s.Key(name)); !ok {
		return tags, nil
	}
	images, err := a.Images.Repository(ctx, s, name)
	if err != nil {
		return nil, err
	}
	stored, err := images.Arrivals(ctx)
	for _, i := range stored {
		tags = append(tags, i.Tags...)
	}
	return tags, err
}
