package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/state"
)

// imagesPath is where members get images from each other (docs/decisions/012), each for itself and not for the leader: POST
// asks a member to hold blobs, GET PATH/ACCOUNT/REGION/DIGEST reads one.
const imagesPath = "/roadstead/v1/images"

// holding is the body of such a POST.
type holding struct {
	model.Scope
	Digests []string `json:"digests"`
}

// replicas connects the registry with those of the other members; nil if there can be none.
func (s *Server) replicas() *registry.Replicas {
	if s.cfg.alone() {
		return nil
	}
	return &registry.Replicas{Hold: s.holdElsewhere, Fetch: s.fetchBlob, Publish: s.publishImages}
}

func (s *Server) imageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+imagesPath, s.operator(s.deployment(func(r *http.Request, _ auth.Principal) (any, error) {
		var in holding
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, model.Errorf("InvalidParameterException", "The body is no JSON: %s.", err)
		}
		return struct{}{}, s.registry.Keep(r.Context(), in.Scope, in.Digests)
	})))
	mux.HandleFunc("GET "+imagesPath+"/{account}/{region}/{digest}", s.serveBlob)
}

func (s *Server) serveBlob(w http.ResponseWriter, r *http.Request) {
	p, err := s.verifier.Verify(r, nil)
	if err == nil {
		err = auth.Allowed(p, "roadstead", r.Method)
	}
	if err == nil {
		err = s.operates(p)
	}
	if refusal, ok := errors.AsType[*model.Error](err); ok {
		refuse(w, http.StatusForbidden, refusal)
		return
	}
	var blob io.ReadCloser
	found := false
	if err == nil {
		blob, found, err = s.registry.Blob(r.Context(), model.Scope{Account: r.PathValue("account"), Region: r.PathValue("region")}, r.PathValue("digest"))
	}
	switch {
	case err != nil:
		s.cfg.Log.Error("read a blob for another member", "digest", r.PathValue("digest"), "err", err)
		refuse(w, http.StatusInternalServerError, model.Errorf("ServerException", "internal error"))
		return
	case !found:
		refuse(w, http.StatusNotFound, model.Errorf("InvalidParameterException", "The blob is not stored here."))
		return
	}
	defer blob.Close()
	_, _ = io.Copy(w, blob) // the reader checks the digest
}

// copies is how many other members must hold an image before its push is acknowledged: this one and they are a majority.
func (s *Server) copies() int {
	n := len(s.members.list(s.cfg.Advertise, s.cfg.Now()))
	if c := s.cfg.InitialCluster; c != "" {
		n = max(n, strings.Count(c, ",")+1)
	}
	return n / 2
}

// holdPatience bounds how long a push waits for other members to copy it.
const holdPatience = 5 * time.Minute

func (s *Server) holdElsewhere(ctx context.Context, sc model.Scope, digests []string) error {
	if len(digests) == 0 {
		return nil
	}
	return s.onOthers(ctx, imagesPath, holding{sc, digests})
}

// onOthers has as many other members hold something as make a majority with this one.
func (s *Server) onOthers(ctx context.Context, path string, what holding) error {
	need := s.copies()
	if need == 0 {
		return nil
	}
	others := s.members.list(s.cfg.Advertise, s.cfg.Now())[1:]
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithTimeout(ctx, holdPatience)
	defer cancel() // who is slower catches up by itself
	answers := make(chan error, len(others))
	for _, url := range others {
		wg.Go(func() { answers <- s.askToHold(ctx, url, path, what) })
	}
	errs := []error{fmt.Errorf("a copy must be on %d other members, of which %d are known", need, len(others))}
	for range others {
		err := <-answers
		if err == nil {
			need--
		}
		if errs = append(errs, err); need == 0 {
			return nil
		}
	}
	return errors.Join(errs...)
}

func (s *Server) askToHold(ctx context.Context, url, path string, what holding) error {
	c, err := s.peer(url)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Do(ctx, http.MethodPost, path, what, nil)
}

// peer calls one member, once and for as long as it takes.
func (s *Server) peer(url string) (*client.Client, error) {
	return client.New(client.Config{Endpoint: url, AccessKeyID: s.cfg.RootKeyID, Secret: s.cfg.RootSecret, Region: s.cfg.Region,
		Patience: -1, Transport: s.peerTransport()})
}

func (s *Server) peerTransport() http.RoundTripper {
	if s.cfg.Peers != nil {
		return s.cfg.Peers
	}
	return http.DefaultTransport
}

func (s *Server) fetchBlob(ctx context.Context, sc model.Scope, digest string) (io.ReadCloser, error) {
	return s.fetchElsewhere(ctx, imagesPath+"/"+sc.Key(digest))
}

// fetchElsewhere reads something from the leader, or if that is this member, from whoever has it.
func (s *Server) fetchElsewhere(ctx context.Context, path string) (io.ReadCloser, error) {
	leader, _, err := s.db.Leader(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, url := range append([]string{leader}, s.members.list(s.cfg.Advertise, s.cfg.Now())[1:]...) {
		if url == "" || url == s.cfg.Advertise {
			continue
		}
		blob, err := s.fetchFrom(ctx, url, path)
		if err == nil {
			return blob, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(append(errs, errors.New("no other member has it"))...)
}

func (s *Server) fetchFrom(ctx context.Context, url, path string) (io.ReadCloser, error) {
	c, err := s.peer(url)
	if err != nil {
		return nil, err
	}
	r, err := c.SignedRequest(ctx, "roadstead", path)
	if err != nil {
		return nil, err
	}
	resp, err := s.peerTransport().RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return resp.Body, nil
}

func (s *Server) publishImages(ctx context.Context, sc model.Scope, name, old, listing string) error {
	return s.db.Update(ctx, func(tx *state.Tx) error {
		row, ok := tx.Repositories.Get(sc.Key(name))
		if !ok || row.Images != old {
			return errors.New("the repository has changed meanwhile")
		}
		changed := *row
		changed.Images = listing
		tx.Repositories.Put(&changed)
		return nil
	})
}

// replicateRetry is how soon a member tries again what it could not copy.
const replicateRetry = 5 * time.Second

// replicate keeps this member's images like those that the rows speak of, so that it can lead at once.
func (s *Server) replicate(ctx context.Context) error {
	if s.cfg.alone() {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := s.Ready(ctx); err != nil { // before that every row seems to be missing
		return err
	}
	_, cursor := s.db.Watch()
	led, todo, failed := s.db.Leading(), s.repositories(ctx), map[string]model.Repository{}
	for again := time.Now(); ; {
		if maps.Copy(failed, s.copyImages(ctx, todo)); len(failed) == 0 {
			again = time.Now().Add(replicateRetry)
		}
		var err error
		todo, err = changedRepositories(ctx, cursor, again, len(failed) > 0)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if leads := s.db.Leading(); err != nil || leads != led { // time to try again, or all is to be looked at
			led, again = leads, time.Now().Add(replicateRetry)
			todo, failed = s.repositories(ctx), map[string]model.Repository{}
		}
	}
}

// changedRepositories waits for the next revision and returns the repositories in it. An error says to look at all: the
// state begins anew, or with retry, the time has come.
func changedRepositories(ctx context.Context, cursor *state.Cursor, at time.Time, retry bool) (map[string]model.Repository, error) {
	if retry {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, at)
		defer cancel()
	}
	r, err := cursor.Next(ctx)
	if err != nil {
		return nil, err
	}
	if r.Reset {
		return nil, errors.New("the state begins anew")
	}
	changed := map[string]model.Repository{}
	for _, c := range r.Changes {
		for _, row := range []any{c.Old, c.New} {
			if row, ok := row.(*model.Repository); ok {
				changed[row.Key()] = *row
			}
		}
	}
	return changed, nil
}

// repositories are all that have a row, and all of which something is stored here.
func (s *Server) repositories(ctx context.Context) map[string]model.Repository {
	all := s.strays(ctx)
	for row := range s.db.Snapshot().Repositories.All() {
		all[row.Key()] = *row
	}
	return all
}

// strays are all repositories of which something is stored here and that have no row: whoever deleted them was cut short.
func (s *Server) strays(ctx context.Context) map[string]model.Repository {
	all := map[string]model.Repository{}
	strays, err := s.registry.Strays(ctx)
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.Warn("look for images without a repository", "err", err)
	}
	for _, r := range strays {
		all[r.Key()] = r
	}
	return all
}

// copyImages makes what is stored here of these repositories what their rows say, and returns those with which it failed.
func (s *Server) copyImages(ctx context.Context, todo map[string]model.Repository) map[string]model.Repository {
	failed := map[string]model.Repository{}
	for key, r := range todo {
		_, exists := s.db.Snapshot().Repositories.Get(key)
		var err error
		switch {
		case !exists:
			err = s.registry.Drop(ctx, r.Scope, r.Name)
		case s.db.Leading():
			err = s.registry.Share(ctx, r.Scope, r.Name)
		default:
			err = s.registry.Follow(ctx, r.Scope, r.Name)
		}
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("copy images", "repository", r.Name, "err", err)
			failed[key] = r
		}
	}
	return failed
}
