package metadata

import (
	"crypto/subtle"
	"net/http"
	"net/netip"

	"github.com/roadstead/roadstead/acs"
)

// credentialsV2 are credentials as the SDKs read them (SEMANTICS §11.6) [D].
type credentialsV2 struct {
	RoleArn         string `json:"RoleArn"`
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string `json:"SecretAccessKey"`
	Token           string `json:"Token"`
	Expiration      string `json:"Expiration"` // as it came
}

// credentialsError is what an SDK gets instead [O].
type credentialsError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Status  int    `json:"HTTPErrorCode"`
}

// credentials answers the credentials of the asking task's role. Their secrets are in memory only: they are with the tasks,
// whose engine gets them with an assignment, and newer ones in time.
func (s *Server) credentials(prefix string, id func(*http.Request) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		refuse := func(status int, code, message string) {
			answer(w, status, credentialsError{code, prefix + message, status})
		}
		id := id(r)
		if id == "" {
			refuse(http.StatusBadRequest, "NoIdInRequest", "No Credential ID in the request")
			return
		}
		c := s.roleOf(r, id)
		switch {
		case c == nil:
			refuse(http.StatusBadRequest, "InvalidIdInRequest", "Credentials not found")
		case c.AccessKeyID == "": // the agent has started again, and the control plane has not sent them yet
			refuse(http.StatusServiceUnavailable, "CredentialsUninitialized", "Credentials uninitialized for ID")
		default:
			answer(w, http.StatusOK, credentialsV2{c.RoleArn, c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expiration})
		}
	}
}

// roleOf is the role of the task that has the credentials' id, if it is one of that task's containers that asks.
func (s *Server) roleOf(r *http.Request, id string) *acs.RoleCreds {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return nil
	}
	for _, v := range s.cfg.Tasks() {
		c := v.Task.RoleCredentials
		if c == nil || !v.State.StoppedAt.IsZero() || subtle.ConstantTimeCompare([]byte(c.CredentialsID), []byte(id)) != 1 {
			continue
		}
		for i := range v.Task.Containers {
			if s.lives(&v, v.Task.Containers[i].Name, from.Addr().Unmap()) {
				return c
			}
		}
	}
	return nil
}
