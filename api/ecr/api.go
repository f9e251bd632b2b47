// Package ecr is the Elastic Container Registry API: one handler per operation, one file per noun (repository, image,
// layer, tag, token), and what the leader does by itself with images: expire.go.
//
// Repositories are rows; images are what the registry stores, and are kept nowhere else. The package must not know how
// requests are decoded (wire) or verified (auth), how images are stored or pushed (registry), nor who else reads the
// rows.
package ecr

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// Config says what the API is made of. DB, Images and Endpoint are required.
type Config struct {
	DB     *state.DB
	Images *registry.Registry
	// Endpoint is the URL at which clients reach the registry: "http://127.0.0.1:4566".
	Endpoint func() string
	// Scanner is the URL that is asked for vulnerabilities of images (scanner.go); "" means that none are scanned.
	Scanner string
	// Regions are those in which ECR is served: images can be copied there.
	Regions []string
	// Grants says whether the policies of another account's registry let an account do something there ("ReplicateImage"), with an error
	// if not. nil: they never do.
	Grants func(account, action string, on model.Scope, repository string) error
	// Upstreams are registries from which images may be fetched besides those that ECR knows: their URLs by host names.
	Upstreams map[string]string
	// Secret reads a secret of Secrets Manager by its ARN; nil: there is none. Its errors are ECR's.
	Secret func(s model.Scope, arn string) (string, error)
	// May says whether the caller of a request may do something else besides ("CreateRepository"). nil: all may.
	May func(ctx context.Context, action string, s model.Scope, repository string) error
	// NewID makes ids of backfills; nil means uuid.NewString.
	NewID func() string
	Now   func() time.Time // nil means time.Now
	Log   *slog.Logger     // nil means slog.Default()
}

// API has the handlers, and what the leader does with images. Run it.
type API struct {
	Config
	asked chan struct{} // a scan waits
	came  chan struct{} // images have come that may have to be copied

	mu       sync.Mutex
	fresh    map[model.Scope][]string // repositories in which they are; guarded by mu
	fetching map[string]chan struct{} // by repository: closed when an image was fetched, or not; guarded by mu
	pulled   map[string]time.Time     // by repository, image and principal: when a pull was recorded; guarded by mu
}

// New returns the API; Mux has its handlers.
func New(cfg Config) *API {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = uuid.NewString
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &API{
		Config: cfg, asked: make(chan struct{}, 1), came: make(chan struct{}, 1), fresh: map[model.Scope][]string{}, pulled: map[string]time.Time{},
		fetching: map[string]chan struct{}{},
	}
}

// Mux returns the handlers of the operations that are served; the others answer UnsupportedFeatureException.
func (a *API) Mux() *wire.Mux {
	m := wire.NewMux(wire.ECR())
	wire.Handle(m, "CreateRepository", a.createRepository)
	wire.Handle(m, "DescribeRepositories", a.describeRepositories)
	wire.Handle(m, "DeleteRepository", a.deleteRepository)
	wire.Handle(m, "PutImageTagMutability", a.putImageTagMutability)
	wire.Handle(m, "PutImageScanningConfiguration", a.putImageScanningConfiguration)

	wire.Handle(m, "SetRepositoryPolicy", a.setRepositoryPolicy)
	wire.Handle(m, "GetRepositoryPolicy", a.getRepositoryPolicy)
	wire.Handle(m, "DeleteRepositoryPolicy", a.deleteRepositoryPolicy)
	wire.Handle(m, "PutRegistryPolicy", a.putRegistryPolicy)
	wire.Handle(m, "GetRegistryPolicy", a.getRegistryPolicy)
	wire.Handle(m, "DeleteRegistryPolicy", a.deleteRegistryPolicy)

	wire.Handle(m, "DescribeRegistry", a.describeRegistry)
	wire.Handle(m, "PutReplicationConfiguration", a.putReplicationConfiguration)
	wire.Handle(m, "DescribeImageReplicationStatus", a.describeImageReplicationStatus)
	wire.Handle(m, "StartReplicationBackfill", a.startReplicationBackfill)
	wire.Handle(m, "StopReplicationBackfill", a.stopReplicationBackfill)
	wire.Handle(m, "ListReplicationBackfills", a.listReplicationBackfills)
	wire.Handle(m, "DescribeReplicationBackfillResults", a.describeReplicationBackfillResults)
	wire.Handle(m, "GetAccountSetting", a.getAccountSetting)
	wire.Handle(m, "PutAccountSetting", a.putAccountSetting)
	wire.Handle(m, "GetRegistryScanningConfiguration", a.getRegistryScanningConfiguration)
	wire.Handle(m, "PutRegistryScanningConfiguration", a.putRegistryScanningConfiguration)
	wire.Handle(m, "BatchGetRepositoryScanningConfiguration", a.batchGetRepositoryScanningConfiguration)
	wire.Handle(m, "CreateRepositoryCreationTemplate", a.createRepositoryCreationTemplate)
	wire.Handle(m, "UpdateRepositoryCreationTemplate", a.updateRepositoryCreationTemplate)
	wire.Handle(m, "DeleteRepositoryCreationTemplate", a.deleteRepositoryCreationTemplate)
	wire.Handle(m, "DescribeRepositoryCreationTemplates", a.describeRepositoryCreationTemplates)

	wire.Handle(m, "RegisterPullTimeUpdateExclusion", a.registerPullTimeUpdateExclusion)
	wire.Handle(m, "DeregisterPullTimeUpdateExclusion", a.deregisterPullTimeUpdateExclusion)
	wire.Handle(m, "ListPullTimeUpdateExclusions", a.listPullTimeUpdateExclusions)
	wire.Handle(m, "CreatePullThroughCacheRule", a.createPullThroughCacheRule)
	wire.Handle(m, "DescribePullThroughCacheRules", a.describePullThroughCacheRules)
	wire.Handle(m, "UpdatePullThroughCacheRule", a.updatePullThroughCacheRule)
	wire.Handle(m, "DeletePullThroughCacheRule", a.deletePullThroughCacheRule)
	wire.Handle(m, "ValidatePullThroughCacheRule", a.validatePullThroughCacheRule)

	wire.Handle(m, "PutLifecyclePolicy", a.putLifecyclePolicy)
	wire.Handle(m, "GetLifecyclePolicy", a.getLifecyclePolicy)
	wire.Handle(m, "DeleteLifecyclePolicy", a.deleteLifecyclePolicy)
	wire.Handle(m, "StartLifecyclePolicyPreview", a.startLifecyclePolicyPreview)
	wire.Handle(m, "GetLifecyclePolicyPreview", a.getLifecyclePolicyPreview)

	wire.Handle(m, "StartImageScan", a.startImageScan)
	wire.Handle(m, "DescribeImageScanFindings", a.describeImageScanFindings)

	wire.Handle(m, "PutImage", a.putImage)
	wire.Handle(m, "BatchGetImage", a.batchGetImage)
	wire.Handle(m, "ListImages", a.listImages)
	wire.Handle(m, "DescribeImages", a.describeImages)
	wire.Handle(m, "ListImageReferrers", a.listImageReferrers)
	wire.Handle(m, "BatchDeleteImage", a.batchDeleteImage)
	wire.Handle(m, "UpdateImageStorageClass", a.updateImageStorageClass)

	wire.Handle(m, "BatchCheckLayerAvailability", a.batchCheckLayerAvailability)
	wire.Handle(m, "GetDownloadUrlForLayer", a.getDownloadURLForLayer)
	wire.Handle(m, "InitiateLayerUpload", a.initiateLayerUpload)
	wire.Handle(m, "UploadLayerPart", a.uploadLayerPart)
	wire.Handle(m, "CompleteLayerUpload", a.completeLayerUpload)

	wire.Handle(m, "GetAuthorizationToken", a.getAuthorizationToken)
	wire.Handle(m, "TagResource", a.tagResource)
	wire.Handle(m, "UntagResource", a.untagResource)
	wire.Handle(m, "ListTagsForResource", a.listTagsForResource)
	return m
}

// caller returns who calls.
func caller(ctx context.Context) (auth.Principal, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return p, errors.New("the request was not verified")
	}
	return p, nil
}

// find returns a repository's row. registryID is the account that it is of, nil for the caller's own. That the caller may have
// another's was decided before (access).
func (a *API) find(ctx context.Context, registryID, name *string) (*model.Repository, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	return lookup(a.DB.Snapshot().Tables, p.Scope(), registryID, name)
}

var accountPattern = regexp.MustCompile(`^[0-9]{12}$`)

// registryScope is where a registry's repositories are: the caller's, if registryID is nil.
func registryScope(s model.Scope, registryID *string) (model.Scope, error) {
	if s.Account = cmp.Or(value(registryID), s.Account); !accountPattern.MatchString(s.Account) {
		return s, invalid("registryId", "must satisfy regular expression '[0-9]{12}'")
	}
	return s, nil
}

func lookup(t *state.Tables, s model.Scope, registryID, name *string) (*model.Repository, error) {
	if err := checkName(value(name)); err != nil {
		return nil, err
	}
	s, err := registryScope(s, registryID)
	if err != nil {
		return nil, err
	}
	row, ok := t.Repositories.Get(s.Key(*name))
	if !ok {
		return nil, errNoRepository(s.Account, *name)
	}
	return row, nil
}

// open returns a repository's row and its images.
func (a *API) open(ctx context.Context, registryID, name *string) (*model.Repository, *registry.Repository, error) {
	row, err := a.find(ctx, registryID, name)
	if err != nil {
		return nil, nil, err
	}
	images, err := a.Images.Repository(ctx, row.Scope, row.Name)
	return row, images, err
}

// uri is the name by which docker and containerd pull from the repository.
func (a *API) uri(r *model.Repository) string {
	_, host, _ := strings.Cut(a.Endpoint(), "://")
	return strings.TrimSuffix(host, "/") + "/" + r.Name
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
