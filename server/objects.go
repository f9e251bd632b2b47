package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/api/s3"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/objectstore"
)

// objectsPath is where members get contents of objects from each other (docs/decisions/024), as images: POST asks a member to hold
// some, GET PATH/DIGEST reads one.
const objectsPath = "/roadstead/v1/objects"

// openObjects opens the object store of this member, and S3 on top of it.
func (s *Server) openObjects() error {
	cfg := objectstore.Config{Dir: filepath.Join(s.cfg.DataDir, "objects")}
	if !s.cfg.alone() {
		cfg.Hold, cfg.Fetch = s.holdObjects, s.fetchObject
	}
	var err error
	if s.objects, err = objectstore.Open(cfg); err != nil {
		return err
	}
	s.s3 = s3.New(s3.Config{
		DB: s.db, Store: s.objects, Verifier: s.verifier, May: s.mayObject, Region: s.cfg.Region, NewID: newID, Hosts: s.bucketHosts(),
		Explain: explain, Now: s.cfg.Now, Log: s.cfg.Log,
	})
	return nil
}

// bucketHosts are the names below which buckets have names of their own: those that this server has, and those that AWS's clients make.
func (s *Server) bucketHosts() []string {
	hosts := []string{"localhost", "s3." + s.cfg.Region + ".amazonaws.com", "s3.amazonaws.com"}
	for _, base := range []string{s.cfg.Advertise, s.cfg.RegistryURL} {
		if u, err := url.Parse(base); err == nil && u.Hostname() != "" && net.ParseIP(u.Hostname()) == nil {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}

// mayObject decides about a request to S3.
func (s *Server) mayObject(r *http.Request, p *auth.Principal, action string, on *s3.On) error {
	if !p.Judged() {
		if err := auth.Allowed(*p, "s3", action); err != nil {
			return err
		}
	}
	return s.access.Authorize(s.db.Snapshot().Tables, &access.Call{
		Principal: *p, Service: "s3", Operation: action, Input: on,
		Now: s.cfg.Now(), UserAgent: r.UserAgent(), Secure: r.TLS != nil, SourceIP: s.sender(r),
	})
}

// mayDeposit asks the policies about an object that the service which was called puts for its caller.
func (s *Server) mayDeposit(ctx context.Context, bucket, key string) error {
	r, ok := ctx.Value(requestKey{}).(*http.Request)
	if !ok {
		return errors.New("the request was not verified")
	}
	return s.decide(ctx, r, "s3", "PutObject", &s3.On{Bucket: bucket, Key: key})
}

// apart serves S3 beside all else: its paths are its clients' own, and a mux would tidy them up.
func (s *Server) apart(objects, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if auth.ForS3(r) {
			objects.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

func (s *Server) objectRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+objectsPath, s.operator(s.deployment(func(r *http.Request, _ auth.Principal) (any, error) {
		var in holding
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, model.Errorf("InvalidParameterException", "The body is no JSON: %s.", err)
		}
		return struct{}{}, s.objects.Keep(r.Context(), in.Digests, s.cfg.Now())
	})))
	mux.HandleFunc("GET "+objectsPath+"/{digest}", s.operatorStream(func(w http.ResponseWriter, r *http.Request) {
		p, _ := auth.PrincipalFrom(r.Context())
		if refusal, no := errors.AsType[*model.Error](s.operates(p)); no {
			refuse(w, http.StatusForbidden, refusal)
			return
		}
		f, err := s.objects.Local(r.PathValue("digest"))
		if err != nil {
			refuse(w, http.StatusNotFound, model.Errorf("InvalidParameterException", "The content is not stored here."))
			return
		}
		defer f.Close()
		_, _ = io.Copy(w, f) // the reader checks the digest
	}))
}

func (s *Server) holdObjects(ctx context.Context, digests []string) error {
	if err := s.onOthers(ctx, objectsPath, holding{Digests: digests}); err != nil {
		return errors.New(err.Error()) // what another member refuses is nothing that callers are told
	}
	return nil
}

func (s *Server) fetchObject(ctx context.Context, digest string) (io.ReadCloser, error) {
	return s.fetchElsewhere(ctx, objectsPath+"/"+digest)
}

// How often a member looks which contents it lacks, and removes what no row names; and how old that has to be.
const (
	objectsEvery = time.Minute
	objectsGrace = time.Hour
)

// tendObjects keeps this member's contents like those that the rows name, so that it can lead at once.
func (s *Server) tendObjects(ctx context.Context) error {
	if err := s.Ready(ctx); err != nil { // before that no row seems to name anything
		return err
	}
	tick := time.NewTicker(objectsEvery)
	defer tick.Stop()
	for {
		if err := s.tendOnce(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("tend objects", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Server) tendOnce(ctx context.Context) error {
	now := s.cfg.Now()
	wanted, errs := map[string]bool{}, []error(nil)
	keep := func(c model.Content) {
		if wanted[c.Digest] || ctx.Err() != nil {
			return
		}
		wanted[c.Digest] = true
		if !s.cfg.alone() {
			errs = append(errs, s.objects.Keep(ctx, []string{c.Digest}, now))
		}
	}
	snap := s.db.Snapshot()
	for o := range snap.Objects.All() {
		for _, c := range o.Contents {
			keep(c)
		}
	}
	for p := range snap.UploadParts.All() {
		keep(p.Content)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	_, err := s.objects.Sweep(ctx, func(d string) bool { return wanted[d] }, now.Add(-objectsGrace))
	return errors.Join(append(errs, err)...)
}
