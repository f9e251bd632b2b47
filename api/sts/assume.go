package sts

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// The longest sessions, in seconds [D].
const (
	longestRole = 43200
	chained     = 3600
	longestUser = 129600
	longestRoot = 3600
)

func decimal(n int) string { return strconv.Itoa(n) }

// assumeRole makes a session of a role. That the caller may, and that the role trusts him, is decided.
func (a *api) assumeRole(ctx context.Context, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkAssume(in); err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	r := t.RoleByARN(*in.RoleArn)
	if r == nil { // since it was decided
		return nil, model.Errorf("AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", p.ARN, *in.RoleArn)
	}
	d, err := roleDuration(in.DurationSeconds, r, p.Session != nil && p.Kind == auth.KindRole)
	if err != nil {
		return nil, err
	}
	s := auth.RoleSession(r, *in.RoleSessionName, a.Now(), d)
	if s.Tags, s.Transitive, err = sessionTags(in.Tags, in.TransitiveTagKeys, p.Session); err != nil {
		return nil, err
	}
	if err := narrow(t, s, in.Policy, in.PolicyArns); err != nil {
		return nil, err
	}
	if s.SourceIdentity = value(in.SourceIdentity); p.Session != nil && p.Session.SourceIdentity != "" {
		if s.SourceIdentity != "" && s.SourceIdentity != p.Session.SourceIdentity {
			return nil, model.Errorf("AccessDenied", "User: %s is not authorized to perform: sts:SetSourceIdentity on resource: %s", p.ARN, *in.RoleArn) // [I]
		}
		s.SourceIdentity = p.Session.SourceIdentity // it stays along a chain [D]
	}
	c, err := a.Sessions.Issue(*s)
	if err != nil {
		return nil, err
	}
	out := &sts.AssumeRoleOutput{
		AssumedRoleUser: &types.AssumedRoleUser{Arn: aws.String(s.ARN), AssumedRoleId: aws.String(s.UserID)}, Credentials: credentials(c),
		PackedPolicySize: packed(s, c),
	}
	if s.SourceIdentity != "" {
		out.SourceIdentity = aws.String(s.SourceIdentity)
	}
	return out, nil
}

// packed is answered for sessions that have policies or tags [D].
func packed(s *auth.Session, c auth.Credentials) *int32 {
	if len(s.Policies)+len(s.PolicyARNs)+len(s.Tags) == 0 {
		return nil
	}
	return aws.Int32(int32(c.Packed))
}

func checkAssume(in *sts.AssumeRoleInput) error {
	if err := checkName("roleSessionName", value(in.RoleSessionName), 64); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(value(in.ExternalId)); in.ExternalId != nil && (n < 2 || n > 1224) {
		return invalid(*in.ExternalId, "externalId", "Member must have length between 2 and 1224") // [I]
	}
	if in.SourceIdentity != nil {
		if err := checkName("sourceIdentity", *in.SourceIdentity, 64); err != nil {
			return err
		}
	}
	if in.SerialNumber != nil || in.TokenCode != nil { // nobody has a device
		return model.Errorf("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ") // [O]
	}
	return nil
}

// roleDuration is how long a session of the role lives: an hour by default, and at most along a chain of roles [D].
func roleDuration(given *int32, r *model.Role, chain bool) (time.Duration, error) {
	d, err := duration(given, chained, longestRole)
	switch {
	case err != nil:
		return 0, err
	case chain && d > chained*time.Second:
		return 0, model.Errorf("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.") // [O]
	case d > time.Duration(r.MaxSession)*time.Second:
		return 0, model.Errorf("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.") // [O]
	}
	return d, nil
}

// sessionTags are those of the request, and those that the caller's session hands on.
func sessionTags(tags []types.Tag, transitive []string, from *auth.Session) (out []model.Tag, keys []string, err error) {
	for _, t := range tags {
		tag := model.Tag{Key: value(t.Key), Value: value(t.Value)}
		switch {
		case tag.Key == "" || utf8.RuneCountInString(tag.Key) > 128 || utf8.RuneCountInString(tag.Value) > 256:
			return nil, nil, invalid(tag.Key, "tags.1.member.key", "Member must have length between 1 and 128") // [I]
		case strings.HasPrefix(strings.ToLower(tag.Key), "aws:"):
			return nil, nil, model.Errorf("InvalidParameterValue", "Tag keys beginning with aws: are reserved for system use.") // [I]
		case holds(out, tag.Key):
			return nil, nil, model.Errorf("InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.") // [O]
		}
		out = append(out, tag)
	}
	if len(out) > 50 {
		return nil, nil, invalid("tags", "tags", "Member must have length less than or equal to 50")
	}
	for _, key := range transitive {
		if !holds(out, key) {
			return nil, nil, model.Errorf("InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.") // [O]
		}
	}
	keys = slices.Clone(transitive)
	if from == nil {
		return out, keys, nil
	}
	for _, t := range from.Tags {
		if !slices.ContainsFunc(from.Transitive, func(k string) bool { return strings.EqualFold(k, t.Key) }) {
			continue
		}
		if holds(out, t.Key) {
			return nil, nil, model.Errorf("InvalidParameterValue", "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.") // [O]
		}
		out, keys = append(out, t), append(keys, t.Key)
	}
	return out, keys, nil
}

func holds(tags []model.Tag, key string) bool {
	return slices.ContainsFunc(tags, func(t model.Tag) bool { return strings.EqualFold(t.Key, key) })
}

// narrow gives a session the policies of a request, which have to be ones.
func narrow(t *state.Tables, s *auth.Session, document *string, arns []types.PolicyDescriptorType) error {
	if document != nil {
		if _, err := policy.Parse(policy.SessionPolicy, "session policy", *document); err != nil {
			if model.ErrorCode(err) == "LimitExceeded" {
				return model.Errorf("PackedPolicyTooLarge", "Packed policy consumes more than 100%% of allotted space.") // [I]
			}
			return err
		}
		s.Policies = []string{*document}
	}
	if len(arns) > 10 {
		return invalid("policyArns", "policyArns", "Member must have length less than or equal to 10")
	}
	for _, d := range arns {
		arn := value(d.Arn)
		_, found := policy.AWSManaged(arn)
		if a, ok := model.ParseARN(arn); ok && !found && a.Account == s.Account {
			p, ok := t.Policies.Get(model.IAMKey(a.Account, arn[strings.LastIndexByte(arn, '/')+1:]))
			found = ok && p.ARN() == arn
		}
		if !found {
			return model.Errorf("ValidationError", "The policy with ARN %s does not exist or is not attachable.", arn) // [I]
		}
		s.PolicyARNs = append(s.PolicyARNs, arn)
	}
	return nil
}

// getSessionToken gives a user, or the root user, temporary credentials for what he may do anyway.
func (a *api) getSessionToken(ctx context.Context, in *sts.GetSessionTokenInput) (*sts.GetSessionTokenOutput, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if p.Session != nil || p.Kind == model.KeyNode {
		return nil, model.Errorf("AccessDenied", "Cannot call GetSessionToken with session credentials") // [O]
	}
	if in.SerialNumber != nil || in.TokenCode != nil {
		return nil, model.Errorf("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ")
	}
	usual, most := longestRole, longestUser
	if p.Kind == model.KeyRoot {
		usual, most = longestRoot, longestRoot
	}
	d, err := duration(in.DurationSeconds, usual, most)
	if err != nil {
		return nil, err
	}
	now := a.Now()
	c, err := a.Sessions.Issue(auth.Session{
		Kind: p.Kind, Account: p.Account, ARN: p.ARN, Of: p.ARN, OfID: p.UserID, UserID: p.UserID,
		IssuedAt: now.UnixMilli(), Expires: now.Add(d).UnixMilli(),
	})
	if err != nil {
		return nil, err
	}
	return &sts.GetSessionTokenOutput{Credentials: credentials(c)}, nil
}

// getFederationToken gives a user, or the root user, credentials for somebody whom IAM does not know. He may do what both the user's
// policies and those of the session allow.
func (a *api) getFederationToken(ctx context.Context, in *sts.GetFederationTokenInput) (*sts.GetFederationTokenOutput, error) {
	p, err := caller(ctx)
	switch {
	case err != nil:
		return nil, err
	case p.Session != nil || p.Kind == model.KeyNode:
		return nil, model.Errorf("AccessDenied", "Cannot call GetFederationToken with session credentials") // [O]
	}
	if err := checkName("name", value(in.Name), 32); err != nil {
		return nil, err
	}
	usual, most := longestRole, longestUser
	if p.Kind == model.KeyRoot {
		usual, most = longestRoot, longestRoot
	}
	d, err := duration(in.DurationSeconds, usual, most)
	if err != nil {
		return nil, err
	}
	now := a.Now()
	s := &auth.Session{
		Kind: auth.KindFederated, Account: p.Account, ARN: "arn:aws:sts::" + p.Account + ":federated-user/" + *in.Name,
		Of: p.ARN, OfID: p.UserID, UserID: p.Account + ":" + *in.Name, IssuedAt: now.UnixMilli(), Expires: now.Add(d).UnixMilli(),
	}
	if s.Tags, _, err = sessionTags(in.Tags, nil, nil); err != nil {
		return nil, err
	}
	if err := narrow(a.DB.Snapshot().Tables, s, in.Policy, in.PolicyArns); err != nil {
		return nil, err
	}
	c, err := a.Sessions.Issue(*s)
	if err != nil {
		return nil, err
	}
	return &sts.GetFederationTokenOutput{
		Credentials: credentials(c), PackedPolicySize: packed(s, c),
		FederatedUser: &types.FederatedUser{Arn: aws.String(s.ARN), FederatedUserId: aws.String(s.UserID)},
	}, nil
}
