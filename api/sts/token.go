package sts

import (
	"context"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/uuid"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/oidc"
	"github.com/roadstead/roadstead/state"
)

// Bounds of web identity tokens: their life in seconds [D], and how long what they say may be, in bytes [I].
const (
	usualToken   = 300
	longestLife  = 3600
	shortestLife = 60
	mostPayload  = 8 << 10
)

// Claims of our tokens besides those that all have. The first is AWS's [D]; the second, ours, says which task it is.
const (
	awsClaim  = "https://sts.amazonaws.com/"
	taskClaim = "https://roadstead.dev/"
)

// getWebIdentityToken gives a user, or a session of a role, a token with which others know who it is.
func (a *api) getWebIdentityToken(ctx context.Context, in *sts.GetWebIdentityTokenInput) (*sts.GetWebIdentityTokenOutput, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	now := a.Now()
	life, err := checkToken(in, &p, now)
	if err != nil {
		return nil, err
	}
	tags, _, err := sessionTags(in.Tags, nil, nil)
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	issuer, ok := t.TokenIssuers.Get(p.Account)
	if !ok || !issuer.Enabled {
		return nil, model.Errorf("OutboundWebIdentityFederationDisabledException", "Outbound web identity federation is not enabled for this account.") // [I]
	}
	key, err := a.signingKey(ctx, issuer, *in.SigningAlgorithm)
	if err != nil {
		return nil, err
	}
	expires := now.Add(life).Truncate(time.Second)
	claims := describe(t, &p, tags)
	claims["iss"], claims["aud"], claims["jti"] = issuer.URL, audience(in.Audience), uuid.NewString()
	claims["iat"], claims["exp"] = now.Unix(), expires.Unix()
	if text, err := json.Marshal(claims); err != nil || len(text) > mostPayload {
		return nil, model.Errorf("JWTPayloadSizeExceededException", "The token payload exceeds the maximum allowed size of %d bytes.", mostPayload) // [I]
	}
	token, err := key.Sign(claims)
	if err != nil {
		return nil, err
	}
	return &sts.GetWebIdentityTokenOutput{WebIdentityToken: &token, Expiration: aws.Time(expires.UTC())}, nil
}

// audience is one text, or a list of several.
func audience(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func checkToken(in *sts.GetWebIdentityTokenInput, p *auth.Principal, now time.Time) (time.Duration, error) {
	if n := len(in.Audience); n < 1 || n > 10 {
		return 0, invalid("audience", "audience", "Member must have length between 1 and 10") // [I]
	}
	for _, to := range in.Audience {
		if n := utf8.RuneCountInString(to); n < 1 || n > 1000 {
			return 0, invalid(to, "audience", "Member must have length between 1 and 1000") // [I]
		}
	}
	if alg := value(in.SigningAlgorithm); alg != oidc.RS256 && alg != oidc.ES384 {
		return 0, invalid(alg, "signingAlgorithm", "Member must satisfy enum value set: [RS256, ES384]") // [I]
	}
	n := usualToken
	if in.DurationSeconds != nil {
		n = int(*in.DurationSeconds)
	}
	switch {
	case n < shortestLife:
		return 0, invalid(decimal(n), "durationSeconds", "Member must have value greater than or equal to "+decimal(shortestLife))
	case n > longestLife:
		return 0, invalid(decimal(n), "durationSeconds", "Member must have value less than or equal to "+decimal(longestLife))
	}
	life := time.Duration(n) * time.Second
	if p.Session != nil && now.Add(life).UnixMilli() > p.Session.Expires {
		return 0, model.Errorf("SessionDurationEscalationException", "The requested token duration would extend the session beyond its original expiration time.") // [D]
	}
	return life, nil
}

// describe says who calls: the role of a session, and of a task's role, which task it is.
func describe(t *state.Tables, p *auth.Principal, tags []model.Tag) map[string]any {
	who := p.ARN
	about := map[string]any{"aws_account": p.Account, "source_region": p.Region}
	if s := p.Session; s != nil {
		if s.Of != "" {
			who = s.Of
		}
		about["original_session_exp"] = time.UnixMilli(s.Expires).UTC().Format(time.RFC3339)
		if s.SourceIdentity != "" {
			about["source_identity"] = s.SourceIdentity
		}
		if len(s.Tags) > 0 {
			about["principal_tags"] = pairs(s.Tags)
		}
	}
	about["principal_id"] = who
	if len(tags) > 0 {
		about["request_tags"] = pairs(tags)
	}
	claims := map[string]any{"sub": who, awsClaim: about}
	if s := p.Session; s != nil && s.Task != "" {
		claims[taskClaim] = describeTask(t, s.Task)
	}
	return claims
}

func pairs(tags []model.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

// describeTask says of a task what those may want to go by who trust it.
func describeTask(t *state.Tables, arn string) map[string]string {
	about := map[string]string{"task": arn}
	a, _ := model.ParseARN(arn)
	if p := a.Segments(); len(p) == 2 {
		about["cluster"] = model.ClusterARN(a.Scope, p[0])
		if task, ok := t.Tasks.Get(model.TaskKey(a.Scope, p[0], p[1])); ok {
			about["task_definition"] = a.Scope.ARN("ecs", "task-definition/"+task.Definition)
			about["group"] = task.Group
		}
	}
	return about
}
