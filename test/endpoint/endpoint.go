// Package endpoint is one endpoint with APIs as a server has them, for the tests of api/*: rows in memory, verified callers, decisions
// by policies, and a clock that only the test moves.
//
// It must not know any API: tests hand in what is served.
package endpoint

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/seal"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/state/statetest"
	"github.com/roadstead/roadstead/test/steady"
	"github.com/roadstead/roadstead/wire"
)

// Accounts whose root users call, and their Region.
const (
	Account = "000000000000" // of As("test")
	Other   = "111111111111" // of As("other")
	Region  = "us-east-1"
)

// Begin is when the clocks begin.
var Begin = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// World is an endpoint.
type World struct {
	T      testing.TB
	DB     *state.DB
	Seal   *seal.Sealer
	url    string
	access access.Access
	ahead  atomic.Int64 // nanoseconds since Begin
	full   atomic.Bool  // the disk
}

// New returns a world that serves nothing yet.
func New(t testing.TB) *World {
	t.Helper()
	w := &World{T: t}
	backend := statetest.NewFaulty(state.NewMemory().Member(), func(call string) statetest.Fault {
		if call == "commit" && w.full.Load() {
			return statetest.NoSpace
		}
		return statetest.None
	})
	w.DB = state.Open(state.Config{Backend: backend, Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal}})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.DB.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	if err := w.DB.AwaitLead(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Update(func(tx *state.Tx) {
		tx.Accounts.Put(&model.Account{ID: Account})
		tx.Accounts.Put(&model.Account{ID: Other})
	})
	var err error
	if w.Seal, err = seal.New(bytes.Repeat([]byte{1}, seal.KeyBytes)); err != nil {
		t.Fatal(err)
	}
	return w
}

// Now is the world's time.
func (w *World) Now() time.Time { return Begin.Add(time.Duration(w.ahead.Load())) }

// Day moves the clock to that many days after Begin.
func (w *World) Day(n int64) { w.ahead.Store(n * int64(24*time.Hour)) }

// Advance moves the clock.
func (w *World) Advance(d time.Duration) { w.ahead.Add(int64(d)) }

// Fill fills the disk, or makes room on it.
func (w *World) Fill(full bool) { w.full.Store(full) }

// Update changes rows.
func (w *World) Update(f func(tx *state.Tx)) {
	w.T.Helper()
	if err := w.DB.Update(w.T.Context(), func(tx *state.Tx) error { f(tx); return nil }); err != nil {
		w.T.Fatal(err)
	}
}

// Serve opens the endpoint.
func (w *World) Serve(muxes ...*wire.Mux) {
	v := &auth.Verifier{Lookup: w.key}
	s := httptest.NewServer(wire.NewGateway(wire.GatewayConfig{
		Authenticate: func(r *http.Request, body []byte) (context.Context, error) {
			p, err := v.Verify(r, body)
			return auth.WithPrincipal(r.Context(), p), err
		},
		Authorize: func(ctx context.Context, _ *http.Request, in any) error {
			call, _ := wire.CallFrom(ctx)
			return w.decide(ctx, w.DB.Snapshot().Tables, call.Service, "", call.Operation, in)
		},
	}, muxes...))
	w.T.Cleanup(s.Close)
	w.url = s.URL
}

func (w *World) key(id string) (model.AccessKey, bool) {
	for name, account := range map[string]string{"test": Account, "other": Other} {
		if id == name {
			return model.AccessKey{ID: id, Secret: "secret", Account: account, Kind: model.KeyRoot}, true
		}
	}
	row, ok := w.DB.Snapshot().AccessKeys.Get(id)
	if !ok {
		return model.AccessKey{}, false
	}
	k, err := auth.OpenKey(w.Seal, row)
	return k, err == nil
}

func (w *World) decide(ctx context.Context, t *state.Tables, service, via, operation string, in any) error {
	p, _ := auth.PrincipalFrom(ctx)
	return w.access.Authorize(t, &access.Call{Principal: p, Service: service, Operation: operation, Input: in, Via: via, Now: w.Now()})
}

// May decides about what a call to a service does besides.
func (w *World) May(service string) func(ctx context.Context, operation string, in any) error {
	return func(ctx context.Context, operation string, in any) error {
		return w.decide(ctx, w.DB.Snapshot().Tables, service, "", operation, in)
	}
}

// MayUse decides about what a service does with keys of KMS in the name of its caller.
func (w *World) MayUse(via string) func(ctx context.Context, t *state.Tables, operation string, in any) error {
	return func(ctx context.Context, t *state.Tables, operation string, in any) error {
		return w.decide(ctx, t, "kms", via, operation, in)
	}
}

// MayOwn decides about what a service does with keys of KMS in its own name.
func (w *World) MayOwn(service string) func(ctx context.Context, t *state.Tables, operation string, in any) error {
	return func(ctx context.Context, t *state.Tables, operation string, in any) error {
		p, _ := auth.PrincipalFrom(ctx)
		return w.access.AuthorizeService(t, &access.Call{Principal: p, Service: "kms", Operation: operation, Input: in, Now: w.Now()}, service+"."+p.Region+".amazonaws.com")
	}
}

// Key makes a key of KMS, and returns its ARN. A policy of "" leaves it to the policies of its account.
func (w *World) Key(account, policy string, change ...func(*model.KMSKey)) string {
	w.T.Helper()
	if policy == "" {
		policy = Document(Statement("Allow", "kms:*", `"Principal":{"AWS":"`+account+`"},"Resource":"*"`))
	}
	ring := keyring.Ring{Seal: w.Seal, Random: rand.Reader}
	row := &model.KMSKey{Scope: model.Scope{Account: account, Region: Region}, CreatedAt: w.Now().UnixMilli(), Policy: policy}
	if err := ring.Furnish(row, row.CreatedAt); err != nil {
		w.T.Fatal(err)
	}
	for _, f := range change {
		f(row)
	}
	w.Update(func(tx *state.Tx) { tx.KMSKeys.Put(row) })
	return row.ARN()
}

// As is the configuration of a client: of a root user, "test" or "other", or of a user that User made.
func (w *World) As(id string) aws.Config {
	return aws.Config{Region: Region, BaseEndpoint: &w.url, RetryMaxAttempts: 1, HTTPClient: steady.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(id, "secret", "")}
}

// User makes an IAM user of an account with an inline policy, and returns the configuration of his client.
func (w *World) User(account, name, document string) aws.Config {
	w.T.Helper()
	u := &model.User{Identity: model.Identity{Account: account, Name: name, Path: "/", ID: "AIDA" + name}}
	if document != "" {
		u.Inline = []model.InlinePolicy{{Name: "p", Document: document}}
	}
	id := "key-" + account + "-" + name
	w.Update(func(tx *state.Tx) {
		tx.Users.Put(u)
		tx.AccessKeys.Put(auth.SealKey(w.Seal, model.AccessKey{ID: id, Secret: "secret", Account: account, Kind: model.KeyUser, UserID: u.ID, UserARN: u.ARN()}))
	})
	return w.As(id)
}

// Statement is a statement of a policy; more stands behind its effect and actions ("ecs:RunTask ecs:ListTasks"): "Resource": "*".
func Statement(effect, actions, more string) string {
	var quoted []byte
	for i, a := range bytes.Fields([]byte(actions)) {
		if i > 0 {
			quoted = append(quoted, ',')
		}
		quoted = append(append(append(quoted, '"'), a...), '"')
	}
	return `{"Effect":"` + effect + `","Action":[` + string(quoted) + `],` + more + `}`
}

// Document is a policy of statements.
func Document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}
