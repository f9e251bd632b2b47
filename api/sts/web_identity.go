package sts

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/oidc"
	"github.com/roadstead/roadstead/state"
)

// WebIdentity is the wish to be a role of somebody for whom an identity provider vouches. What is asked for is checked; whether the
// role trusts him is not.
type WebIdentity struct {
	RoleARN, SessionName string
	Duration             time.Duration
	Provider             string              // ARN
	Claims               map[string][]string // as condition keys: "HOST:sub"
	Tags                 []model.Tag
	Transitive           []string
	SourceIdentity       string
	Policies, PolicyARNs []string
}

// longestToken is how long a web identity token may be, in characters [D].
const longestToken = 20000

// assumeRoleWithWebIdentity makes a session of a role for whom a provider of the role's account vouches. The call is unsigned: the
// token says who it is, and the role's trust policy whether he may.
func (a *api) assumeRoleWithWebIdentity(ctx context.Context, in *sts.AssumeRoleWithWebIdentityInput) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	if err := checkWebIdentity(in); err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	arn, _ := model.ParseARN(*in.RoleArn)
	issuer, provider, err := a.provider(t, arn.Account, *in.WebIdentityToken)
	if err != nil {
		return nil, err
	}
	id, err := a.Tokens.Verify(ctx, *in.WebIdentityToken, issuer)
	if err != nil {
		return nil, err
	}
	r := t.RoleByARN(*in.RoleArn)
	if r == nil {
		return nil, model.Errorf("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity") // [O]
	}
	q := &WebIdentity{RoleARN: *in.RoleArn, SessionName: *in.RoleSessionName, Provider: provider.ARN(), Claims: map[string][]string{
		provider.Host + ":aud": {id.Audience}, provider.Host + ":sub": {id.Subject},
	}}
	if len(id.Methods) > 0 {
		q.Claims[provider.Host+":amr"] = id.Methods
	}
	if q.Duration, err = roleDuration(in.DurationSeconds, r, false); err != nil {
		return nil, err
	}
	if err := q.read(id.Claims); err != nil {
		return nil, err
	}
	narrowed := &auth.Session{Account: r.Account}
	if err := narrow(t, narrowed, in.Policy, in.PolicyArns); err != nil {
		return nil, err
	}
	q.Policies, q.PolicyARNs = narrowed.Policies, narrowed.PolicyARNs
	c, s, err := a.AssumeWeb(t, q)
	if err != nil {
		return nil, err
	}
	return &sts.AssumeRoleWithWebIdentityOutput{
		AssumedRoleUser: &types.AssumedRoleUser{Arn: aws.String(s.ARN), AssumedRoleId: aws.String(s.UserID)}, Credentials: credentials(c),
		Audience: &id.Audience, Provider: &issuer.Issuer, SubjectFromWebIdentityToken: &id.Subject, PackedPolicySize: packed(s, c),
		SourceIdentity: optional(s.SourceIdentity),
	}, nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func checkWebIdentity(in *sts.AssumeRoleWithWebIdentityInput) error {
	if err := checkName("roleSessionName", value(in.RoleSessionName), 64); err != nil {
		return err
	}
	switch n := utf8.RuneCountInString(value(in.WebIdentityToken)); {
	case n < 4 || n > longestToken: // the token itself is not repeated
		return model.Errorf("ValidationError", "1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: Member must have length between 4 and 20000") // [I]
	case in.ProviderId != nil:
		return model.Errorf("UnsupportedFeatureException", "Roadstead does not serve the provider %s: it knows those of OpenID Connect, which tokens name themselves.", *in.ProviderId)
	}
	return nil
}

// provider is the account's identity provider whose token it says to be, and what is needed to verify that.
func (a *api) provider(t *state.Tables, account, token string) (oidc.Provider, *model.OIDCProvider, error) {
	iss, err := oidc.Issuer(token)
	if err != nil {
		return oidc.Provider{}, nil, err
	}
	var own *oidc.JWKS
	if i := t.Issuer(iss); i != nil {
		own = oidc.PublicKeys(i, a.Now().UnixMilli())
	}
	row, ok := t.OIDCProviders.Get(account + "/" + oidc.Host(iss))
	if !ok || own == nil && !strings.HasPrefix(iss, "https://") {
		return oidc.Provider{}, nil, model.Errorf("InvalidIdentityToken", "No OpenIDConnect provider found in your account for %s", iss) // [O]
	}
	return oidc.Provider{Issuer: iss, Audiences: row.ClientIDs, Thumbprints: row.Thumbprints, Keys: own}, row, nil
}

// Claims with which a provider says more than who it is [D].
const (
	tagsClaim   = "https://aws.amazon.com/tags"
	sourceClaim = "https://aws.amazon.com/source_identity"
)

// read takes tags and the source identity from a token's claims.
func (q *WebIdentity) read(claims map[string]any) error {
	if source, _ := claims[sourceClaim].(string); source != "" {
		if err := checkName("sourceIdentity", source, 64); err != nil {
			return err
		}
		q.SourceIdentity = source
	}
	given, ok := claims[tagsClaim]
	if !ok {
		return nil
	}
	var said struct {
		Tags       map[string][]string `json:"principal_tags"`
		Transitive []string            `json:"transitive_tag_keys"`
	}
	text, err := json.Marshal(given)
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	if err != nil {
		return errTags()
	}
	var tags []types.Tag
	for key, values := range said.Tags {
		if len(values) != 1 {
			return errTags()
		}
		tags = append(tags, types.Tag{Key: &key, Value: &values[0]})
	}
	slices.SortFunc(tags, func(a, b types.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	q.Tags, q.Transitive, err = sessionTags(tags, said.Transitive, nil)
	return err
}

func errTags() error {
	return model.Errorf("InvalidIdentityToken", "The token's claim %s is not valid.", tagsClaim) // [I]
}
