package ecr_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// upstream is another registry, which a rule of the world's names upstream.example; it can be away.
type upstream struct {
	*world
	away  atomic.Bool
	looks atomic.Int32 // requests for manifests
}

const hubLogin = "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub-a1b2c3"

// behind gives the world an upstream with repositories, and a rule for names that begin with hub/.
func (w *world) behind(t *testing.T, repositories ...string) *upstream {
	t.Helper()
	up := &upstream{world: newWorld(t)}
	up.create(t, repositories...)
	to, err := url.Parse(up.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			up.looks.Add(1)
		}
		if up.away.Load() {
			http.Error(rw, "away", http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	w.upstreams["upstream.example"] = s.URL
	w.secrets[hubLogin] = `{"username":"test","accessToken":"secret"}`
	_, err = w.CreatePullThroughCacheRule(t.Context(), &sdk.CreatePullThroughCacheRuleInput{
		EcrRepositoryPrefix: aws.String("hub"), UpstreamRegistryUrl: aws.String("upstream.example"), CredentialArn: aws.String(hubLogin)})
	if err != nil {
		t.Fatal(err)
	}
	return up
}

// pull pulls all of an image, and returns its digest.
func (w *world) pull(t *testing.T, ref string) (string, error) {
	t.Helper()
	auth := remote.WithAuth(&authn.Basic{Username: "test", Password: "secret"})
	d, err := remote.Get(w.reference(t, ref), auth, remote.WithRetryStatusCodes())
	if err != nil {
		return "", err
	}
	img, err := d.Image()
	if err != nil {
		return "", err
	}
	layers, err := img.Layers()
	if err != nil {
		return "", err
	}
	for _, l := range layers {
		r, err := l.Compressed()
		if err != nil {
			return "", err
		}
		r.Close()
	}
	return d.Digest.String(), nil
}

func (w *world) pulls(t *testing.T, ref, want, when string) {
	t.Helper()
	if got, err := w.pull(t, ref); err != nil || got != want {
		t.Errorf("%s: %s is %s, %v; want %s", when, ref, got, err, want)
	}
}

// [D] The first pull fetches the image; later ones have it from here, and a tag is looked up once a day. When the upstream registry is
// away, what is here is served.
func TestPullThroughCache(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	up := w.behind(t, "team/web")
	day := 0
	w.now = func() time.Time { return time.Now().Add(time.Duration(day) * 24 * time.Hour) }
	one := up.push(t, "team/web:1", nil)
	w.pulls(t, "hub/team/web:1", one, "first")
	out, err := w.DescribeRepositories(ctx, nil)
	if err != nil || len(out.Repositories) != 1 || *out.Repositories[0].RepositoryName != "hub/team/web" {
		t.Errorf("repositories: %+v %v", out, err)
	}
	looks := up.looks.Load()
	two := up.push(t, "team/web:1", nil)
	w.pulls(t, "hub/team/web:1", one, "the same day")
	w.pulls(t, "hub/team/web@"+one, one, "by digest")
	if got := up.looks.Load() - looks; got != 0 {
		t.Errorf("%d looks within a day", got)
	}
	day = 1
	w.pulls(t, "hub/team/web:1", two, "the next day")
	up.push(t, "team/web:1", nil)
	day = 2
	up.away.Store(true)
	w.pulls(t, "hub/team/web:1", two, "when it is away")
	looks = up.looks.Load()
	w.pulls(t, "hub/team/web:1", two, "and away still")
	if got := up.looks.Load() - looks; got != 0 {
		t.Errorf("%d looks right after one that failed", got)
	}

	_, err = w.pull(t, "hub/team/web:9")
	if e, ok := errors.AsType[*transport.Error](err); !ok || e.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("an image that is not here: %v", err)
	}
	_, err = w.BatchGetImage(ctx, &sdk.BatchGetImageInput{RepositoryName: aws.String("hub/team/web"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("9")}}})
	wantError(t, err, "UnableToGetUpstreamImageException", "upstream.example")
	up.away.Store(false)
	for _, ref := range []string{"hub/team/web:9", "hub/team/other:1"} {
		if _, err = w.pull(t, ref); err == nil || !strings.Contains(err.Error(), "UNKNOWN") {
			t.Errorf("%s, which is nowhere: %v", ref, err)
		}
	}
	if out, err := w.DescribeRepositories(ctx, nil); err != nil || len(out.Repositories) != 1 {
		t.Errorf("repositories: %+v %v", out, err)
	}
}

// [D] Of several platforms all come along; the repository is made as its template says; what BatchGetImage asks for is fetched, too.
func TestPullThroughMakesARepository(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	up := w.behind(t, "web")
	index, err := random.Index(300, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	up.pushIndex(t, "web:all", index)
	_, err = w.CreateRepositoryCreationTemplate(ctx, &sdk.CreateRepositoryCreationTemplateInput{
		Prefix: aws.String("hub"), AppliedFor: []types.RCTAppliedFor{types.RCTAppliedForPullThroughCache}, ResourceTags: []types.Tag{{Key: aws.String("from"), Value: aws.String("hub")}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.BatchGetImage(ctx, &sdk.BatchGetImageInput{RepositoryName: aws.String("hub/web"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("all")}}})
	want, _ := index.Digest()
	if err != nil || len(got.Images) != 1 || *got.Images[0].ImageId.ImageDigest != want.String() {
		t.Fatal(got, err)
	}
	if out, err := w.DescribeImages(ctx, &sdk.DescribeImagesInput{RepositoryName: aws.String("hub/web")}); err != nil || len(out.ImageDetails) != 3 {
		t.Errorf("%+v %v", out, err)
	}
	tags, err := w.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:ecr:us-east-1:000000000000:repository/hub/web")})
	if err != nil || len(tags.Tags) != 1 {
		t.Errorf("%+v %v", tags, err)
	}
}

// [D] Who fetches needs ecr:BatchImportUpstreamImage, and ecr:CreateRepository if there is no repository yet; what is here needs neither.
func TestPullThroughNeedsRights(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	up := w.behind(t, "web")
	up.push(t, "web:1", nil)
	s := model.Scope{Account: account, Region: "us-east-1"}
	try := func(rights string) string {
		err := w.api.Fetch(ctx, s, "hub/web", "1", func(action string) error {
			if strings.Contains(rights, action) {
				return nil
			}
			return errors.New("denied")
		})
		_, ok := w.db.Snapshot().Repositories.Get(s.Key("hub/web"))
		return fmt.Sprint(ok, err)
	}
	for _, rights := range []string{"", "BatchImportUpstreamImage", "CreateRepository"} {
		if got := try(rights); got != "false <nil>" {
			t.Errorf("with %q: %s", rights, got)
		}
	}
	if got := try("BatchImportUpstreamImage CreateRepository"); got != "true <nil>" {
		t.Errorf("with both: %s", got)
	}
	looks := up.looks.Load()
	w.now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	try("CreateRepository")
	if up.looks.Load() != looks {
		t.Error("somebody who may not fetch had a tag looked up")
	}
}

// [D] Rules are made, described, changed, validated and deleted. Only registries that ECR knows, or the operator, are upstream of any.
func TestPullThroughCacheRules(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	up := w.behind(t)
	create := func(prefix, upstream string, change ...func(*sdk.CreatePullThroughCacheRuleInput)) error {
		in := &sdk.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: &prefix, UpstreamRegistryUrl: &upstream}
		for _, f := range change {
			f(in)
		}
		_, err := w.CreatePullThroughCacheRule(ctx, in)
		return err
	}
	secret := func(arn string) func(*sdk.CreatePullThroughCacheRuleInput) {
		return func(in *sdk.CreatePullThroughCacheRuleInput) { in.CredentialArn = &arn }
	}
	for _, host := range []string{"127.0.0.1:4566", "http://upstream.example", "169.254.169.254", "evil.example", "evil.example/quay.io", "quay.io.evil.example", "x@quay.io"} {
		wantError(t, create("a1", host), "UnsupportedUpstreamRegistryException", "The specified upstream registry isn't supported.")
	}
	wantError(t, create("x", "quay.io"), "InvalidParameterException", "ecrRepositoryPrefix")
	wantError(t, create("UP", "quay.io"), "InvalidParameterException", "ecrRepositoryPrefix")
	wantError(t, create("hub", "quay.io"), "PullThroughCacheRuleAlreadyExistsException", "hub")
	wantError(t, create("a1", "quay.io", secret("arn:aws:secretsmanager:us-east-1:000000000000:secret:other-a1b2c3")), "InvalidParameterException", "credentialArn")
	wantError(t, create("a1", "quay.io", secret(hubLogin+"x")), "SecretNotFoundException", "")
	w.secrets[strings.Replace(hubLogin, account, "111111111111", 1)] = `{"username":"u","accessToken":"t"}`
	wantError(t, create("a1", "quay.io", secret(strings.Replace(hubLogin, account, "111111111111", 1))), "UnableToAccessSecretException", "of the registry's account and Region")
	wantError(t, create("a1", "quay.io", func(in *sdk.CreatePullThroughCacheRuleInput) { in.UpstreamRegistry = types.UpstreamRegistryK8s }), "UnsupportedUpstreamRegistryException", "")
	wantError(t, create("a1", "quay.io", func(in *sdk.CreatePullThroughCacheRuleInput) { in.RegistryId = aws.String("111111111111") }), "AccessDeniedException", "")
	if err := create("ROOT", "quay.io"); err != nil {
		t.Fatal(err)
	}
	all, err := w.DescribePullThroughCacheRules(ctx, &sdk.DescribePullThroughCacheRulesInput{})
	if err != nil || len(all.PullThroughCacheRules) != 2 {
		t.Fatal(all, err)
	}
	if r := all.PullThroughCacheRules[0]; *r.EcrRepositoryPrefix != "ROOT" || r.UpstreamRegistry != types.UpstreamRegistryQuay || *r.UpstreamRepositoryPrefix != "ROOT" || *r.RegistryId != account || !recent(r.CreatedAt) {
		t.Errorf("%+v", r)
	}
	_, err = w.DescribePullThroughCacheRules(ctx, &sdk.DescribePullThroughCacheRulesInput{EcrRepositoryPrefixes: []string{"none"}})
	wantError(t, err, "PullThroughCacheRuleNotFoundException", "none")
	if other, err := w.other.DescribePullThroughCacheRules(ctx, &sdk.DescribePullThroughCacheRulesInput{}); err != nil || len(other.PullThroughCacheRules) != 0 {
		t.Errorf("another account sees %+v %v", other, err)
	}

	valid := func() string {
		out, err := w.ValidatePullThroughCacheRule(ctx, &sdk.ValidatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub")})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(out.IsValid, " ", aws.ToString(out.Failure) != "")
	}
	if got := valid(); got != "true false" {
		t.Errorf("valid: %s", got)
	}
	w.secrets[hubLogin] = `{"username":"test","accessToken":"wrong"}`
	if got := valid(); got != "false true" {
		t.Errorf("with a wrong password: %s", got)
	}
	w.secrets[hubLogin] = `sesame`
	if _, err := w.pull(t, "hub/web:1"); err == nil || !strings.Contains(err.Error(), "username and accessToken") || strings.Contains(err.Error(), "sesame") {
		t.Errorf("with a secret that is no login: %v", err)
	}
	up.away.Store(true)
	if got := valid(); got != "false true" {
		t.Errorf("when it is away: %s", got)
	}

	const second = "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/second-a1b2c3"
	_, err = w.UpdatePullThroughCacheRule(ctx, &sdk.UpdatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub"), CredentialArn: aws.String(second)})
	wantError(t, err, "SecretNotFoundException", "")
	w.secrets[second] = `{"username":"u","accessToken":"t"}`
	updated, err := w.UpdatePullThroughCacheRule(ctx, &sdk.UpdatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub"), CredentialArn: aws.String(second)})
	if err != nil || *updated.CredentialArn != second {
		t.Error(updated, err)
	}
	gone, err := w.DeletePullThroughCacheRule(ctx, &sdk.DeletePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub")})
	if err != nil || *gone.UpstreamRegistryUrl != "upstream.example" {
		t.Error(gone, err)
	}
	_, err = w.DeletePullThroughCacheRule(ctx, &sdk.DeletePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub")})
	wantError(t, err, "PullThroughCacheRuleNotFoundException", "hub")
	_, err = w.UpdatePullThroughCacheRule(ctx, &sdk.UpdatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub")})
	wantError(t, err, "PullThroughCacheRuleNotFoundException", "hub")
	_, err = w.ValidatePullThroughCacheRule(ctx, &sdk.ValidatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub")})
	wantError(t, err, "PullThroughCacheRuleNotFoundException", "hub")
}

// [D] Another account's registry can be upstream, as far as its policy says: nothing is stored twice, and the owner reads who has it.
func TestPullThroughAnotherAccount(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	err := w.db.Update(ctx, func(tx *state.Tx) error {
		tx.Accounts.Put(&model.Account{ID: account})
		tx.Accounts.Put(&model.Account{ID: "111111111111"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.create(t, "web")
	one := w.push(t, "web:1", nil)
	create := func(host string) error {
		_, err := w.other.CreatePullThroughCacheRule(ctx, &sdk.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("central"), UpstreamRegistryUrl: &host})
		return err
	}
	for _, host := range []string{"222222222222.dkr.ecr.us-east-1.amazonaws.com", "000000000000.dkr.ecr.mars-1.amazonaws.com", "111111111111.dkr.ecr.us-east-1.amazonaws.com"} {
		wantError(t, create(host), "UnsupportedUpstreamRegistryException", "")
	}
	if err := create("000000000000.dkr.ecr.us-east-1.amazonaws.com"); err != nil {
		t.Fatal(err)
	}
	get := func() (*sdk.BatchGetImageOutput, error) {
		return w.other.BatchGetImage(ctx, &sdk.BatchGetImageInput{RepositoryName: aws.String("central/web"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("1")}}})
	}
	_, err = get()
	wantError(t, err, "RepositoryNotFoundException", "central/web")
	if _, err := w.SetRepositoryPolicy(ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: web, PolicyText: aws.String(mayPull)}); err != nil {
		t.Fatal(err)
	}
	out, err := get()
	if err != nil || len(out.Images) != 1 || *out.Images[0].ImageId.ImageDigest != one {
		t.Fatal(out, err)
	}
	records := 0
	for e := range w.db.Snapshot().Events.All() {
		if records++; e.Account != account || !strings.Contains(e.Detail, "111111111111") {
			t.Errorf("recorded: %+v", *e)
		}
	}
	if records != 1 {
		t.Errorf("%d records", records)
	}
	// What was had stays when the policy is gone.
	if _, err := w.DeleteRepositoryPolicy(ctx, &sdk.DeleteRepositoryPolicyInput{RepositoryName: web}); err != nil {
		t.Fatal(err)
	}
	w.push(t, "web:1", nil)
	w.now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	if out, err := get(); err != nil || len(out.Images) != 1 || *out.Images[0].ImageId.ImageDigest != one {
		t.Error(out, err)
	}
}
