package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// authenticate verifies an API call, and refuses what its sender may not do whatever it is about.
func (s *Server) authenticate(r *http.Request, body []byte) (context.Context, error) {
	call, _ := wire.CallFrom(r.Context())
	if auth.Unsigned(call.Service, call.Operation) {
		return r.Context(), nil
	}
	p, err := s.verifier.Verify(r, body)
	if err != nil {
		return nil, err
	}
	if !p.Judged() {
		service := call.Service
		if service == "" {
			service = p.Service
		}
		if err := auth.Allowed(p, service, call.Operation); err != nil {
			return nil, err
		}
	}
	if call, _ := wire.CallFrom(r.Context()); call.Service != "ecr" || !slices.Contains(s.cfg.ECRRegions, p.Region) {
		p.Region = s.cfg.Region // global services are signed for us-east-1
	}
	return auth.WithPrincipal(context.WithValue(r.Context(), requestKey{}, r), p), nil
}

// requestKey is where a call's context has the request that it came by.
type requestKey struct{}

// authorize asks the policies of a call's sender, when it is known what the call is about.
func (s *Server) authorize(ctx context.Context, r *http.Request, in any) error {
	call, _ := wire.CallFrom(ctx)
	if auth.Unsigned(call.Service, call.Operation) {
		return nil
	}
	return s.decide(ctx, r, call.Service, call.Operation, in)
}

// maySecret asks them about what a call to Secrets Manager does besides.
func (s *Server) maySecret(ctx context.Context, operation string, in any) error {
	r, ok := ctx.Value(requestKey{}).(*http.Request)
	if !ok {
		return errors.New("the request was not verified")
	}
	return s.decide(ctx, r, "secretsmanager", operation, in)
}

// mayUse asks them about what the service that was called does with keys of KMS in the sender's name. The address that such a call
// comes from is not the sender's.
func (s *Server) mayUse(service string) func(ctx context.Context, t *state.Tables, operation string, in any) error {
	return func(ctx context.Context, t *state.Tables, operation string, in any) error {
		p, ok := auth.PrincipalFrom(ctx)
		if !ok {
			return errors.New("the request was not verified")
		}
		return s.access.Authorize(t, &access.Call{
			Principal: p, Service: "kms", Operation: operation, Input: in, Via: service, Now: s.cfg.Now(), UserAgent: service + ".amazonaws.com", Secure: true,
		})
	}
}

// mayOwn asks the policies of keys of KMS about what a service does with them in its own name.
func (s *Server) mayOwn(service string) func(ctx context.Context, t *state.Tables, operation string, in any) error {
	return func(ctx context.Context, t *state.Tables, operation string, in any) error {
		p, ok := auth.PrincipalFrom(ctx)
		if !ok {
			return errors.New("nobody says for whom " + service + " uses a key")
		}
		call := access.Call{Principal: p, Service: "kms", Operation: operation, Input: in, Now: s.cfg.Now(), Secure: true}
		return s.access.AuthorizeService(t, &call, service+"."+p.Region+".amazonaws.com")
	}
}

func (s *Server) decide(ctx context.Context, r *http.Request, service, operation string, in any) error {
	p, _ := auth.PrincipalFrom(ctx)
	c := access.Call{
		Principal: p, Service: service, Operation: operation, Input: in,
		Now: s.cfg.Now(), UserAgent: r.UserAgent(), Secure: r.TLS != nil,
	}
	if p.Judged() {
		c.SourceIP = s.sender(r)
	}
	return s.access.Authorize(s.db.Snapshot().Tables, &c)
}

// senderHeader carries the address of a request's sender from the member that it reached to the leader.
const senderHeader = "X-Roadstead-Sender"

// vouch says where a request that is passed on came from. Only a member can: the address is sealed together with the request's
// signature, so that nobody makes one up, or takes that of another request.
func (s *Server) vouch(in, out *http.Request) {
	host, _, err := net.SplitHostPort(in.RemoteAddr)
	if err != nil {
		out.Header.Del(senderHeader)
		return
	}
	out.Header.Set(senderHeader, host+" "+s.voucher(host, in))
}

func (s *Server) voucher(host string, r *http.Request) string {
	h := hmac.New(sha256.New, []byte(s.cfg.RootSecret))
	h.Write([]byte("roadstead sender\x00" + host + "\x00" + r.Header.Get("Authorization") + "\x00" + r.URL.RawQuery))
	return hex.EncodeToString(h.Sum(nil))
}

// sender is the address that a request came from, as a member that passed it on has seen it.
func (s *Server) sender(r *http.Request) string {
	if host, sum, ok := strings.Cut(r.Header.Get(senderHeader), " "); ok && hmac.Equal([]byte(sum), []byte(s.voucher(host, r))) {
		return host
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// registryKey finds the access key that a login of the registry was made with. A session's is none of the rows.
func (s *Server) registryKey(id, session string) (model.AccessKey, bool) {
	if session == "" {
		return s.accessKey(id)
	}
	p, err := s.verifier.Holder(id, session)
	return model.AccessKey{ID: id, Account: p.Account, Kind: p.Kind, UserARN: p.ARN}, err == nil
}

// registryMay decides about a request to the registry as about the call of ECR that it stands for.
func (s *Server) registryMay(id, session, action string, of model.Scope, repository string) error {
	p, err := s.verifier.Holder(id, session)
	if err != nil {
		return err
	}
	p.Region = of.Region
	in := struct{ RegistryId, RepositoryName string }{of.Account, repository}
	return s.access.Authorize(s.db.Snapshot().Tables, &access.Call{Principal: p, Service: "ecr", Operation: action, Input: &in, Now: s.cfg.Now()})
}

// registryGrants decides whether an account may do something in another's registry, as its root user could: by the policies there.
func (s *Server) registryGrants(account, action string, on model.Scope, repository string) error {
	p := auth.NewPrincipal(model.AccessKey{Account: account, Kind: model.KeyRoot}, on.Region, "ecr")
	in := struct{ RegistryId, RepositoryName string }{on.Account, repository}
	return s.access.Authorize(s.db.Snapshot().Tables, &access.Call{Principal: p, Service: "ecr", Operation: action, Input: &in, Now: s.cfg.Now()})
}

// seedAnew is seed after a reset, which leaves access keys behind: those of users go too, as their users went.
func (s *Server) seedAnew(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *state.Tx) error {
		for _, k := range slices.Collect(tx.AccessKeys.All()) {
			if k.Kind == model.KeyUser {
				tx.AccessKeys.Delete(k.Key())
			}
		}
		return s.seed(tx)
	})
}

// encodeRefusal makes the message of a refusal, which goes into a header: what does not fit there is left out, "" if nothing fits.
func (s *Server) encodeRefusal(account string, why policy.Refusal) string {
	for _, shorten := range []func(){
		func() {},
		func() { why.Near = nil },
		func() { why.Context.Conditions.Items = why.Context.Conditions.Items[:0] },
	} {
		shorten()
		if plain, err := json.Marshal(why); err == nil && len(plain) <= maxRefusal {
			return s.tokens.EncodeMessage(account, plain, s.cfg.Now())
		}
	}
	return ""
}

// maxRefusal is how long a refusal may be, in bytes: headers of 8 KiB pass everywhere, and a third is added on the way.
const maxRefusal = 4 << 10
