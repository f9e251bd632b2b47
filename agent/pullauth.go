package agent

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
)

// pullAuth gets the credentials for our own registry: tokens of ecr:GetAuthorizationToken, kept until they are old.
type pullAuth struct {
	// caller is who pulls for a task, and until when its credentials are good, zero for ever.
	caller func(ctx context.Context, taskARN string) (*client.Client, time.Time, error)
	ours   func(host string) bool // whether the control plane serves there

	mu     sync.Mutex
	logins map[string]login // by execution role, "" for the node itself
}

// login is what a token says, and until when it is used.
type login struct {
	user, password string
	until          time.Time
}

func newPullAuth(caller func(context.Context, string) (*client.Client, time.Time, error), ours func(host string) bool) *pullAuth {
	return &pullAuth{caller: caller, ours: ours, logins: map[string]login{}}
}

// tokenLife is how long a token of 12 hours is used.
const tokenLife = 6 * time.Hour

// credentials answers for a registry host: ours, or one of which the task definition says that it is ECR. Others are
// asked anonymously. Who logs in is the execution role of the task that the image is for, or else the node.
func (p *pullAuth) credentials(ctx context.Context, host string, auth *acs.RegistryAuth) (user, password string, err error) {
	if auth != nil && auth.Type == "asm" && auth.ASM != nil {
		return p.private(ctx, auth)
	}
	if !p.ours(host) && (auth == nil || auth.Type != "ecr") {
		return "", "", nil
	}
	var task, role string
	if auth != nil {
		task, role = auth.Task, auth.Role
	}
	p.mu.Lock()
	known := p.logins[role]
	p.mu.Unlock()
	if time.Now().Before(known.until) {
		return known.user, known.password, nil
	}
	if known, err = p.login(ctx, task); err != nil {
		return "", "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for role, l := range p.logins {
		if !time.Now().Before(l.until) {
			delete(p.logins, role)
		}
	}
	p.logins[role] = known
	return known.user, known.password, nil
}

// private looks up the login of a private registry, with the task's execution role, at each pull: it may have been changed.
func (p *pullAuth) private(ctx context.Context, auth *acs.RegistryAuth) (user, password string, err error) {
	c, _, err := p.caller(ctx, auth.Task)
	if err != nil {
		return "", "", err
	}
	text, err := secretValue(ctx, c, auth.ASM.CredentialsParameter)
	if err != nil {
		return "", "", err
	}
	var login struct{ Username, Password string }
	if err := json.Unmarshal([]byte(text), &login); err != nil || login.Username == "" || login.Password == "" {
		return "", "", noSecrets("the secret %s is not a JSON object with username and password", auth.ASM.CredentialsParameter)
	}
	return login.Username, login.Password, nil
}

// login asks for a token for a task.
func (p *pullAuth) login(ctx context.Context, task string) (l login, err error) {
	c, until, err := p.caller(ctx, task)
	if err != nil {
		return l, err
	}
	var out struct {
		AuthorizationData []struct {
			AuthorizationToken string `json:"authorizationToken"`
		} `json:"authorizationData"`
	}
	if err := c.Call(ctx, "ecr", "GetAuthorizationToken", nil, &out); err != nil {
		return l, err
	}
	if len(out.AuthorizationData) == 0 {
		return l, errors.New("GetAuthorizationToken answered without a token")
	}
	b, err := base64.StdEncoding.DecodeString(out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		return l, err
	}
	if l.until = time.Now().Add(tokenLife); !until.IsZero() && until.Before(l.until) {
		l.until = until
	}
	l.user, l.password, _ = strings.Cut(string(b), ":")
	return l, nil
}
