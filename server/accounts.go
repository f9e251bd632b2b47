package server

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Accounts are made by the operator (docs/decisions/028): the root user of the account that the control plane was started with.

// rootKey is the answer to who makes an account: its root user's access key, which is shown this once.
type rootKey struct {
	Account         string `json:"account"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

// account is an account as it is listed.
type account struct {
	ID        string       `json:"id"`
	Name      string       `json:"name"`
	CreatedAt model.Millis `json:"createdAt"`
	Operator  bool         `json:"operator"` // the control plane's own
}

func (s *Server) accountRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /roadstead/v1/accounts", s.operator(s.deployment(s.createAccount)))
	mux.HandleFunc("GET /roadstead/v1/accounts", s.operator(s.deployment(s.listAccounts)))
	mux.HandleFunc("POST /roadstead/v1/accounts/{id}/root-key", s.operator(s.deployment(s.renewRootKey)))
}

// deployment keeps a call that is about more than the caller's account to the operator's. Other accounts have root users, too.
func (s *Server) deployment(call func(r *http.Request, p auth.Principal) (any, error)) func(r *http.Request, p auth.Principal) (any, error) {
	return func(r *http.Request, p auth.Principal) (any, error) {
		if err := s.operates(p); err != nil {
			return nil, err
		}
		return call(r, p)
	}
}

// operates is AccessDeniedException unless the principal is of the operator's account.
func (s *Server) operates(p auth.Principal) error {
	if p.Account == s.cfg.Account {
		return nil
	}
	return model.Errorf("AccessDeniedException", "User: %s is not authorized to operate this control plane: the root user of account %s may.", p.ARN, s.cfg.Account)
}

var accountPattern = regexp.MustCompile(`^[0-9]{12}$`)

// maxAccountName is how long a name may be, as with AWS Organizations [D].
const maxAccountName = 50

func (s *Server) createAccount(r *http.Request, _ auth.Principal) (any, error) {
	var in struct{ Account, Name string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, model.Errorf("InvalidParameterException", "The body is no JSON: %s.", err)
	}
	switch {
	case !accountPattern.MatchString(in.Account):
		return nil, model.Errorf("InvalidParameterException", "An account has 12 digits, and %q has not.", in.Account)
	case len(in.Name) > maxAccountName:
		return nil, model.Errorf("InvalidParameterException", "A name may have %d characters.", maxAccountName)
	}
	key := s.newRootKey(in.Account)
	err := s.db.Update(r.Context(), func(tx *state.Tx) error {
		if _, ok := tx.Accounts.Get(in.Account); ok {
			return model.Errorf("InvalidParameterException", "The account %s exists already.", in.Account)
		}
		tx.Accounts.Put(&model.Account{ID: in.Account, Name: in.Name, CreatedAt: key.CreatedAt})
		tx.AccessKeys.Put(auth.SealKey(s.seal, key))
		return s.furnish(tx, in.Account)
	})
	if err != nil {
		return nil, err
	}
	return rootKey{in.Account, key.ID, key.Secret}, nil
}

// renewRootKey gives an account's root user another key, and takes away those that he had: one was lost, or found.
func (s *Server) renewRootKey(r *http.Request, _ auth.Principal) (any, error) {
	id := r.PathValue("id")
	key := s.newRootKey(id)
	err := s.db.Update(r.Context(), func(tx *state.Tx) error {
		if _, ok := tx.Accounts.Get(id); !ok {
			return model.Errorf("InvalidParameterException", "The account %s does not exist.", id)
		}
		if id == s.cfg.Account {
			return model.Errorf("InvalidParameterException", "The root key of account %s is what the control plane is started with.", id)
		}
		var old []string
		for k := range tx.AccessKeys.All() {
			if k.Account == id && k.Kind == model.KeyRoot {
				old = append(old, k.Key())
			}
		}
		for _, k := range old {
			tx.AccessKeys.Delete(k)
		}
		tx.AccessKeys.Put(auth.SealKey(s.seal, key))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rootKey{id, key.ID, key.Secret}, nil
}

func (s *Server) newRootKey(account string) model.AccessKey {
	return model.AccessKey{
		ID: "AKIA" + strings.ToUpper(newID()[:16]), Secret: (newID() + newID())[:40], Account: account,
		Kind: model.KeyRoot, CreatedAt: s.cfg.Now().UnixMilli(),
	}
}

func (s *Server) listAccounts(*http.Request, auth.Principal) (any, error) {
	out := []account{}
	for a := range s.db.Snapshot().Accounts.All() {
		out = append(out, account{a.ID, a.Name, a.CreatedAt, a.ID == s.cfg.Account})
	}
	return map[string]any{"accounts": out}, nil
}

// createJoinToken makes a node key and returns the token that carries it: of the caller's account, or of the one that the operator
// names. Nodes work for one account, whose tasks share nothing with those of others.
func (s *Server) createJoinToken(r *http.Request, p auth.Principal) (any, error) {
	var in struct{ Account string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, model.Errorf("InvalidParameterException", "The body is no JSON: %s.", err)
	}
	if in.Account == "" {
		in.Account = p.Account
	}
	if in.Account != p.Account {
		if err := s.operates(p); err != nil {
			return nil, err
		}
		if _, ok := s.db.Snapshot().Accounts.Get(in.Account); !ok {
			return nil, model.Errorf("InvalidParameterException", "The account %s does not exist.", in.Account)
		}
	}
	token, err := s.JoinToken(r.Context(), in.Account)
	if err != nil {
		return nil, err
	}
	return map[string]string{"token": token}, nil
}

// JoinToken makes a node key of the account and returns the token that carries it.
func (s *Server) JoinToken(ctx context.Context, account string) (string, error) {
	key := model.AccessKey{ID: "RSN" + strings.ToUpper(newID()[:17]), Secret: newID() + newID(), Account: account,
		Kind: model.KeyNode, CreatedAt: s.cfg.Now().UnixMilli()}
	err := s.db.Update(ctx, func(tx *state.Tx) error { tx.AccessKeys.Put(auth.SealKey(s.seal, key)); return nil })
	if err != nil {
		return "", err
	}
	return joinToken(key, s.cfg.Region), nil
}
