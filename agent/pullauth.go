package agent

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
)

// pullAuth gets the credentials for our own registry: a token of ecr:GetAuthorizationToken, kept until it is old.
type pullAuth struct {
	client *client.Client
	ours   func(host string) bool // whether the control plane serves there

	mu             sync.Mutex
	user, password string
	until          time.Time
}

func newPullAuth(c *client.Client, ours func(host string) bool) *pullAuth {
	return &pullAuth{client: c, ours: ours}
}

// tokenLife is how long a token of 12 hours is used.
const tokenLife = 6 * time.Hour

// credentials answers for a registry host: ours, or one of which the task definition says that it is ECR. Others are
// asked anonymously.
func (p *pullAuth) credentials(ctx context.Context, host string, auth *acs.RegistryAuth) (user, password string, err error) {
	if !p.ours(host) && (auth == nil || auth.Type != "ecr") {
		return "", "", nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.until) {
		return p.user, p.password, nil
	}
	var out struct {
		AuthorizationData []struct {
			AuthorizationToken string `json:"authorizationToken"`
		} `json:"authorizationData"`
	}
	if err := p.client.Call(ctx, "ecr", "GetAuthorizationToken", nil, &out); err != nil {
		return "", "", err
	}
	if len(out.AuthorizationData) == 0 {
		return "", "", errors.New("GetAuthorizationToken answered without a token")
	}
	b, err := base64.StdEncoding.DecodeString(out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		return "", "", err
	}
	user, password, _ = strings.Cut(string(b), ":")
	p.user, p.password, p.until = user, password, time.Now().Add(tokenLife)
	return user, password, nil
}
