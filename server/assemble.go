package server

import (
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/api/ecr"
	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/api/iam"
	"github.com/roadstead/roadstead/api/kms"
	"github.com/roadstead/roadstead/api/logs"
	"github.com/roadstead/roadstead/api/s3"
	"github.com/roadstead/roadstead/api/secretsmanager"
	"github.com/roadstead/roadstead/api/ssm"
	"github.com/roadstead/roadstead/api/sts"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/controller/place"
	"github.com/roadstead/roadstead/hooks"
	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/logforward"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/session"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// assemble builds the rooms on top of the backend and connects them.
func (s *Server) assemble() error {
	s.db = state.Open(state.Config{
		Backend: s.backend, Advertise: s.cfg.Advertise, Log: s.cfg.Log,
		Codec:    state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal},
		NewIndex: func() state.Index { return scheduler.NewIndex() },
	})
	s.sessions = session.New(session.Config{DB: s.db, NewID: newID, RegistryAuth: s.registryAuth, Endpoint: s.registryURL, Role: s.assumeForTask, ExecEnded: s.execEnded, Log: s.cfg.Log})
	if err := s.openExec(); err != nil {
		return err
	}
	s.driver = controller.New(controller.Config{DB: s.db, Loops: s.loops(), Now: s.cfg.Now, Seed: mathrand.Uint64(), Log: s.cfg.Log})
	s.hooks = hooks.New(hooks.Config{DB: s.db, Now: s.cfg.Now, Log: s.cfg.Log, NewID: newID, NewUUID: uuid.NewString, Seed: mathrand.Uint64})
	var err error
	if s.tokens, err = auth.NewSessions(s.cfg.RootSecret, s.cfg.Account); err != nil {
		return err
	}
	s.access.Encode = s.encodeRefusal
	if err := s.openSeal(); err != nil {
		return err
	}
	s.verifier = &auth.Verifier{Lookup: s.accessKey, Regions: []string{s.cfg.Region}, Further: map[string][]string{"ecr": s.cfg.ECRRegions}, Sessions: s.tokens, Now: s.cfg.Now}
	s.metrics = newMetrics(s.db, s.sessions.Connected, s.driver.Stats)
	if err := s.openRegistry(); err != nil {
		return err
	}
	s.ecr = ecr.New(ecr.Config{
		DB: s.db, Images: s.registry, Endpoint: s.registryURL, Scanner: s.cfg.ImageScanner,
		Regions: append([]string{s.cfg.Region}, s.cfg.ECRRegions...), Grants: s.registryGrants,
		Upstreams: s.cfg.Upstreams, Secret: s.upstreamLogin, May: s.mayImage, Now: s.cfg.Now, Log: s.cfg.Log,
	})
	s.secrets = secretsmanager.New(secretsmanager.Config{
		DB: s.db, Seal: s.seal, May: s.maySecret, MayUse: s.mayUse("secretsmanager"), Now: s.cfg.Now, Log: s.cfg.Log,
	})
	if err := s.openLogs(); err != nil {
		return err
	}
	if err := s.openObjects(); err != nil {
		return err
	}
	s.planner = ecs.NewPlanner(s.ecsConfig())
	s.gateway = wire.NewGateway(wire.GatewayConfig{Authenticate: s.authenticate, Authorize: s.authorize, Explain: explain, Log: s.cfg.Log}, s.services()...)
	return nil
}

// services are the AWS services that are served.
func (s *Server) services() []*wire.Mux {
	return []*wire.Mux{
		ecs.New(s.ecsConfig()),
		s.ecr.Mux(),
		s.logs.Mux(),
		ssm.New(ssm.Config{
			Start: s.startSession, Connected: s.connected, Resume: s.resumeExec, Terminate: s.terminateExec, Known: s.knownSessions, DB: s.db, Seal: s.seal,
			MayUse: s.mayUse("ssm"), Now: s.cfg.Now,
		}),
		s.secrets.Mux(),
		kms.New(kms.Config{DB: s.db, Seal: s.seal, Now: s.cfg.Now}),
		iam.New(iam.Config{DB: s.db, Policies: s.access.Of, IssuerURL: s.issuerURL, Seal: s.seal, Now: s.cfg.Now}),
		sts.New(s.stsConfig()),
	}
}

func (s *Server) ecsConfig() ecs.Config {
	return ecs.Config{
		DB: s.db, Now: s.cfg.Now, NewID: newID, NewUUID: uuid.NewString, Seed: mathrand.Uint64,
		PollEndpoint:   s.pollEndpoint,
		WaitingRequest: (&place.Loop{}).Request, ServiceWhy: s.serviceWhy, ServiceStep: s.serviceStep,
		Exec: s.executeCommand, Trusts: s.trustsTasks, Wide: s.wideRole, DenyWide: s.cfg.DenyWideRoles,
	}
}

// pollEndpoint is where an agent opens its websockets. To the leader itself; but the stock agent keeps the address for 12 hours, even
// when nobody answers there any more, and so gets the one that stays if there is one.
func (s *Server) pollEndpoint(stock bool) (endpoint, telemetry string) {
	endpoint = s.cfg.Advertise
	if stock {
		endpoint = s.registryURL()
	}
	endpoint = strings.TrimSuffix(endpoint, "/")
	return endpoint, endpoint + telemetryPath
}

// telemetryPath is what tells TCS from ACS: agents open "/ws" under either endpoint.
const telemetryPath = "/tcs"

// Coverage returns the services with their handlers, to be counted and not to be called.
func Coverage() []*wire.Mux {
	return (&Server{ecr: ecr.New(ecr.Config{}), logs: logs.New(logs.Config{}), secrets: secretsmanager.New(secretsmanager.Config{})}).services()
}

// Counted are all services, to be counted.
func Counted() []wire.Counted {
	var out []wire.Counted
	for _, m := range Coverage() {
		out = append(out, m)
	}
	return append(out, s3.New(s3.Config{}))
}

// openLogs opens the log store of this member (docs/decisions/019).
func (s *Server) openLogs() error {
	store, err := logstore.Open(logstore.Config{
		Dir: filepath.Join(s.cfg.DataDir, "logs"), Log: s.cfg.Log, Open: func(wrapped []byte) ([]byte, error) { return s.logs.OpenKey(wrapped) },
	})
	if err != nil {
		return err
	}
	if s.cfg.alone() {
		if err := store.Lead(store.Epoch()); err != nil {
			return err
		}
	}
	s.logStore = store
	s.forward = logforward.New(logforward.Config{DB: s.db, Store: store, Plain: s.cfg.LogDestinations, Ready: s.logsLed, Moved: s.offerLogs,
		Now: s.cfg.Now, Log: s.cfg.Log})
	s.logs = logs.New(logs.Config{
		DB: s.db, Store: store, NewID: newID, Keys: keyring.Service{Ring: keyring.Ring{Seal: s.seal, Random: rand.Reader}, Name: "logs", May: s.mayOwn("logs")},
		Check: s.forward.Check, MayDeposit: s.mayDeposit, Ready: s.logsOf, Hold: s.holdLogs,
		Deposit: func(ctx context.Context, of model.Scope, bucket, key string, body []byte) error {
			return s.s3.Deposit(ctx, of, bucket, key, body)
		},
		Now: s.cfg.Now, Log: s.cfg.Log,
	})
	return nil
}

// openRegistry opens the image store. Its tokens are signed with a key that all members derive from the root secret.
func (s *Server) openRegistry() error {
	key, err := s.deriveKey("roadstead registry tokens")
	if err != nil {
		return err
	}
	registry.BridgeLogs(s.cfg.Log)
	s.registry, err = registry.New(registry.Config{
		Dir: filepath.Join(s.cfg.DataDir, "registry"), Region: s.cfg.Region, TokenKey: key, Key: s.registryKey, May: s.registryMay,
		Repository: func(sc model.Scope, name string) (model.Repository, bool) {
			r, ok := s.db.Snapshot().Repositories.Get(sc.Key(name))
			if !ok {
				return model.Repository{}, false
			}
			return *r, true
		},
		Make: func(ctx context.Context, sc model.Scope, name string) (bool, error) {
			return s.ecr.Make(ctx, sc, name, "CREATE_ON_PUSH")
		},
		Fetch: func(ctx context.Context, sc model.Scope, name, ref string, may func(string) error) error {
			return s.ecr.Fetch(ctx, sc, name, ref, may)
		},
		Pushed: func(sc model.Scope, name string) { s.ecr.Pushed(sc, name) },
		Pulled: func(ctx context.Context, p registry.Pull) error { return s.ecr.Pulled(ctx, p) },
		Archived: func(sc model.Scope, name, digest string, pushedAt model.Millis) bool {
			return s.ecr.Archived(sc, name, digest, pushedAt)
		},
		Now: s.cfg.Now, Replicas: s.replicas(),
	})
	return err
}

// deriveKey makes a key for one purpose, the same on all members.
func (s *Server) deriveKey(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(s.cfg.RootSecret), []byte(s.cfg.Account), purpose, 32)
}

// accessKey is the key with the id, with its secret.
func (s *Server) accessKey(id string) (model.AccessKey, bool) {
	row, ok := s.db.Snapshot().AccessKeys.Get(id)
	if !ok {
		return model.AccessKey{}, false
	}
	k, err := auth.OpenKey(s.seal, row)
	if err != nil {
		s.cfg.Log.Error("nobody can sign in with an access key", "err", err)
		return model.AccessKey{}, false
	}
	return k, true
}

// registryAuth says of images in our own registry, and of those named as ECR names them, that they need a token.
func (s *Server) registryAuth(image string) *acs.RegistryAuth {
	host, _, _ := strings.Cut(image, "/")
	if host != hostOf(s.cfg.Advertise) && host != hostOf(s.cfg.RegistryURL) && !strings.Contains(host, ".dkr.ecr.") {
		return nil
	}
	return &acs.RegistryAuth{Type: "ecr", ECR: &acs.ECRAuth{Region: s.cfg.Region, RegistryID: s.cfg.Account, Endpoint: s.registryURL()}}
}

// registryURL is where clients reach the registry, and stock agents everything: whoever leads, if there is such a name.
func (s *Server) registryURL() string { return cmp.Or(s.cfg.RegistryURL, s.cfg.Advertise) }

// hostOf is the host, with the port, of a URL; "" if it has none.
func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Host
}

// newID returns 32 random hex digits.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Ready waits until this member leads or knows who does, and has the root key.
func (s *Server) Ready(ctx context.Context) error {
	snap, cursor := s.db.Watch()
	for {
		if _, ok := snap.AccessKeys.Get(s.cfg.RootKeyID); ok {
			return nil
		}
		r, err := cursor.Next(ctx)
		if err != nil {
			return fmt.Errorf("wait for the state: %w", err)
		}
		snap = r.Snapshot
	}
}

// AwaitNodes waits until n instances are registered, and connected to this member: a row may say so of an earlier life.
func (s *Server) AwaitNodes(ctx context.Context, n int) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		connected := 0
		for i := range s.db.Snapshot().Instances.All() {
			if i.AgentConnected && i.Status != model.InstanceInactive {
				connected++
			}
		}
		if min(connected, s.sessions.Connected()) >= n {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// KnowsToken reports whether the token's key exists here.
func (s *Server) KnowsToken(token string) bool {
	t, err := acs.ParseJoinToken(token)
	if err != nil {
		return false
	}
	k, ok := s.accessKey(t.KeyID)
	return ok && k.Secret == t.Secret
}
