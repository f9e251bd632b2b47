package registry

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/opencontainers/go-digest"

	"github.com/roadstead/roadstead/model"
)

// Config is what a registry needs from its surroundings.
type Config struct {
	// Dir holds the images, in DIR/ACCOUNT/REGION/.
	Dir string
	// Region is meant by clients whose credentials and host name no Region (an access key as user and password).
	Region string
	// TokenKey signs tokens. Servers of one Region share it, and it outlives restarts: at least 32 random bytes.
	TokenKey []byte
	// Key finds an access key by its id; session is the token of temporary credentials, "" for others.
	Key func(accessKeyID, session string) (model.AccessKey, bool)
	// May decides about an action of ECR ("PutImage") on a repository, "*" for all. nil: root users and nodes may what is their
	// account's, and nobody else anything.
	May func(accessKeyID, session, action string, s model.Scope, repository string) error
	// Repository finds a repository's row. What has no row does not exist, whatever the storage holds.
	Repository func(s model.Scope, name string) (model.Repository, bool)
	// Make makes the row of a repository that is pushed to and has none; ok is false if it is not to be made. nil: never.
	Make func(ctx context.Context, s model.Scope, name string) (ok bool, err error)
	// Fetch sees to it that a repository whose images come from elsewhere has what is pulled; may says what else the caller may do to
	// it. nil: no images come from elsewhere.
	Fetch func(ctx context.Context, s model.Scope, name, ref string, may func(action string) error) error
	// Archived says whether an image, which was pushed at a time, is archived: it cannot be pulled then. nil: none is.
	Archived func(s model.Scope, name, digest string, pushedAt model.Millis) bool
	// Pulled is told that somebody pulls an image, before he gets it; its error refuses him. nil: nobody wants to know.
	Pulled func(ctx context.Context, p Pull) error
	// Pushed is told that an image has come into a repository, or has got another tag. nil: nobody wants to know.
	Pushed func(s model.Scope, name string)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Replicas are the other servers with the same images; nil means that there are none.
	Replicas *Replicas
}

// Registry is the image store of all accounts and an http.Handler for /v2/.
type Registry struct {
	cfg    Config
	tokens tokens

	mu     sync.Mutex
	stores map[model.Scope]*store // guarded by mu; opened on first use
}

// store is the storage tree of one account in one Region.
type store struct {
	scope    model.Scope
	dir      string
	replicas *Replicas
	row      func(s model.Scope, name string) (model.Repository, bool)

	app    http.Handler
	driver driver.StorageDriver
	images distribution.Namespace

	// manifests serialises the writes of manifests and tags, which check before they change: is the tag final, is
	// the manifest part of an index.
	manifests sync.Mutex

	now func() time.Time

	// sweeping is held between finding out how old a blob is and removing it, and while one is dated anew.
	sweeping sync.Mutex

	// elsewhere finds a blob in another tree of this disk; pushed is told that an image has come.
	elsewhere func(d digest.Digest) (file string, ok bool)
	pushed    func(s model.Scope, name string)

	mu       sync.Mutex
	shown    map[string]string               // by repository, see shows; guarded by mu
	fetching map[digest.Digest]chan struct{} // closed when the blob was fetched, or not; guarded by mu
}

// New returns a registry over cfg.Dir, which need not exist yet.
func New(cfg Config) (*Registry, error) {
	if len(cfg.TokenKey) < 32 {
		return nil, fmt.Errorf("open registry: the token key has %d bytes, 32 are needed", len(cfg.TokenKey))
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Registry{
		cfg:    cfg,
		tokens: tokens{key: cfg.TokenKey, now: cfg.Now},
		stores: make(map[model.Scope]*store),
	}, nil
}

func (g *Registry) store(s model.Scope) (*store, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if st := g.stores[s]; st != nil {
		return st, nil
	}
	// The scope names directories: it comes from tokens and host names, and must not leave its place.
	if !accountPattern.MatchString(s.Account) || !regionPattern.MatchString(s.Region) {
		return nil, fmt.Errorf("open registry of account %q in %q: not a scope", s.Account, s.Region)
	}
	st, err := openStore(filepath.Join(g.cfg.Dir, s.Account, s.Region), g.uploadSecret())
	if err != nil {
		return nil, fmt.Errorf("open registry of %s: %w", s.Key(), err)
	}
	st.scope, st.replicas, st.row, st.elsewhere, st.pushed = s, g.cfg.Replicas, g.cfg.Repository, g.elsewhere, g.cfg.Pushed
	st.now = g.cfg.Now
	g.stores[s] = st
	return st, nil
}

// uploadSecret signs the state that Distribution hands to uploading clients.
func (g *Registry) uploadSecret() string {
	h := hmac.New(sha256.New, g.cfg.TokenKey)
	h.Write([]byte("uploads"))
	return hex.EncodeToString(h.Sum(nil))
}

func openStore(dir, secret string) (*store, error) {
	c := &configuration.Configuration{Version: "0.1"}
	c.Log.AccessLog.Disabled = true
	c.HTTP.Secret = secret
	c.HTTP.RelativeURLs = true // so that answers are right behind any proxy and host name
	c.Catalog.MaxEntries = 1000
	c.Storage = configuration.Storage{
		"filesystem": {"rootdirectory": dir},
		"delete":     {"enabled": true},
		"redirect":   {"disable": true},
		// Collect purges uploads: Distribution's own purger is a goroutine that nobody can wait for.
		"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
	}
	c.Validation.Manifests.URLs.Allow = []string{foreign.String()}
	d := filesystem.New(filesystem.DriverParameters{RootDirectory: dir, MaxThreads: 100})
	// The app lives as long as the process, longer than the request that opens the store.
	ctx := context.Background()
	images, err := storage.NewRegistry(ctx, d, storage.EnableDelete, storage.EnableValidateImageIndexImagesExist,
		storage.ManifestURLsAllowRegexp(foreign))
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(filepath.Join(dir, incoming)); err != nil {
		return nil, err
	}
	return &store{dir: dir, app: handlers.NewApp(ctx, c), driver: d, images: images, shown: map[string]string{}, fetching: map[digest.Digest]chan struct{}{}}, nil
}

// Wipe deletes all images of all accounts.
func (g *Registry) Wipe() error {
	scopes, err := g.scopes()
	if err != nil {
		return fmt.Errorf("wipe registry: %w", err)
	}
	for _, s := range scopes {
		st, err := g.store(s)
		if err != nil {
			return err
		}
		st.manifests.Lock()
		err = os.RemoveAll(filepath.Join(g.cfg.Dir, s.Account, s.Region))
		st.manifests.Unlock()
		if err != nil {
			return fmt.Errorf("wipe registry of %s: %w", s.Key(), err)
		}
	}
	return nil
}

// stored says whether anything was ever stored of an account in a Region.
func (g *Registry) stored(s model.Scope) bool {
	if !accountPattern.MatchString(s.Account) || !regionPattern.MatchString(s.Region) {
		return false
	}
	_, err := os.Stat(filepath.Join(g.cfg.Dir, s.Account, s.Region))
	return err == nil
}

// scopes lists the account and Region trees on disk, open or not.
func (g *Registry) scopes() ([]model.Scope, error) {
	dirs, err := fs.Glob(os.DirFS(g.cfg.Dir), "*/*")
	if err != nil {
		return nil, err
	}
	var list []model.Scope
	for _, d := range dirs {
		account, region := filepath.Split(d)
		s := model.Scope{Account: filepath.Clean(account), Region: region}
		if accountPattern.MatchString(s.Account) && regionPattern.MatchString(s.Region) {
			list = append(list, s)
		}
	}
	return list, nil
}

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	namePattern    = regexp.MustCompile(`^` + NamePattern + `$`)

	// foreign are the URLs at which layers may be that others keep by intent, those of Windows for instance.
	foreign = regexp.MustCompile(`^https?://`)
)

// NamePattern is the pattern of repository names that ECR documents.
const NamePattern = `(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*`

// ValidName says whether a repository may have the name: 2 to 256 characters of the pattern.
func ValidName(name string) bool {
	return len(name) >= 2 && len(name) <= 256 && namePattern.MatchString(name)
}
