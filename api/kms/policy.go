package kms

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// onlyPolicy is the name of a key's policy: it has one [D].
const onlyPolicy = "default"

// maxTags is how many tags a key may have [D].
const maxTags = 50

// defaultPolicy leaves a key to the policies of its account [D].
func defaultPolicy(s model.Scope) string {
	return `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::` + s.Account + `:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`
}

// checkPolicy reads a policy as it will be read when somebody uses the key.
func checkPolicy(text string) error {
	if _, err := policy.Parse(policy.KeyPolicy, onlyPolicy, text); err != nil {
		return model.Errorf("MalformedPolicyDocumentException", "%v", err)
	}
	return nil
}

// checkLockout refuses a policy that does not let its author put another one, be it by leave of his account [D].
func checkLockout(ctx context.Context, row *model.KMSKey, bypass bool) error {
	p, ok := auth.PrincipalFrom(ctx)
	if bypass || !ok {
		return nil
	}
	doc, err := policy.Parse(policy.KeyPolicy, onlyPolicy, row.Policy)
	if err != nil {
		return err
	}
	who := policy.PrincipalOf(p.ARN, p.UserID, p.Of())
	c := &policy.Context{}
	who.Describe(c)
	c.SetTags("aws:ResourceTag", row.Tags)
	c.Set("kms:CallerAccount", p.Account)
	d := policy.Decide(&policy.Request{Principal: who, Action: "kms:PutKeyPolicy", Resource: row.ARN(), Context: c}, &policy.Policies{Resource: doc})
	if d.Explicit || !d.Allowed && d.Layer == policy.ByResource {
		return model.Errorf("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.") // [O]
	}
	return nil
}

func checkPolicyName(name *string) error {
	if name != nil && *name != onlyPolicy {
		return model.Errorf("NotFoundException", "No such policy exists") // [O]
	}
	return nil
}

func (a *api) getKeyPolicy(ctx context.Context, in *sdk.GetKeyPolicyInput) (*sdk.GetKeyPolicyOutput, error) {
	row, err := a.mine(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := checkPolicyName(in.PolicyName); err != nil {
		return nil, err
	}
	return &sdk.GetKeyPolicyOutput{Policy: aws.String(row.Policy), PolicyName: aws.String(onlyPolicy)}, nil
}

func (a *api) putKeyPolicy(ctx context.Context, in *sdk.PutKeyPolicyInput) (*sdk.PutKeyPolicyOutput, error) {
	if err := checkPolicyName(in.PolicyName); err != nil {
		return nil, err
	}
	if err := checkPolicy(deref(in.Policy)); err != nil {
		return nil, err
	}
	if err := byID(in.KeyId); err != nil {
		return nil, err
	}
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	return &sdk.PutKeyPolicyOutput{}, a.DB.Update(ctx, func(tx *state.Tx) error {
		row, err := editable(s)(tx.FindKMSKey(s, deref(in.KeyId), a.now()))
		if err != nil {
			return err
		}
		if err := waits(row); err != nil {
			return err
		}
		row.Policy = *in.Policy
		tx.KMSKeys.Put(row)
		return checkLockout(ctx, row, in.BypassPolicyLockoutSafetyCheck)
	})
}

func (a *api) listKeyPolicies(ctx context.Context, in *sdk.ListKeyPoliciesInput) (*sdk.ListKeyPoliciesOutput, error) {
	if _, err := a.mine(ctx, in.KeyId); err != nil {
		return nil, err
	}
	return &sdk.ListKeyPoliciesOutput{PolicyNames: []string{onlyPolicy}}, nil
}

func mergeTags(have []model.Tag, add []types.Tag) ([]model.Tag, error) {
	var news []model.Tag
	for _, t := range add {
		tag := model.Tag{Key: deref(t.TagKey), Value: deref(t.TagValue)}
		if tag.Key == "" || len(tag.Key) > 128 || len(tag.Value) > 256 || strings.HasPrefix(strings.ToLower(tag.Key), "aws:") {
			return nil, model.Errorf("TagException", "The tag key %q or its value is not allowed.", tag.Key) // [I]
		}
		news = append(news, tag)
	}
	out := model.MergeTags(have, news)
	if len(out) > maxTags {
		return nil, model.Errorf("LimitExceededException", "Too many tags: a key can have %d.", maxTags) // [I]
	}
	return out, nil
}

func (a *api) tagResource(ctx context.Context, in *sdk.TagResourceInput) (*sdk.TagResourceOutput, error) {
	_, err := a.edit(ctx, in.KeyId, func(row *model.KMSKey) (err error) {
		if err := waits(row); err != nil {
			return err
		}
		row.Tags, err = mergeTags(row.Tags, in.Tags)
		return err
	})
	return &sdk.TagResourceOutput{}, err
}

func (a *api) untagResource(ctx context.Context, in *sdk.UntagResourceInput) (*sdk.UntagResourceOutput, error) {
	_, err := a.edit(ctx, in.KeyId, func(row *model.KMSKey) error {
		row.Tags = slices.DeleteFunc(slices.Clone(row.Tags), func(t model.Tag) bool { return slices.Contains(in.TagKeys, t.Key) })
		return waits(row)
	})
	return &sdk.UntagResourceOutput{}, err
}

func (a *api) listResourceTags(ctx context.Context, in *sdk.ListResourceTagsInput) (*sdk.ListResourceTagsOutput, error) {
	row, err := a.mine(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	tags := slices.SortedFunc(slices.Values(row.Tags), func(a, b model.Tag) int { return strings.Compare(a.Key, b.Key) })
	page, next, err := pageOf("ListResourceTags", row.Key(), tags, func(t model.Tag) string { return t.Key }, in.Limit, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &sdk.ListResourceTagsOutput{Tags: []types.Tag{}, NextMarker: next, Truncated: next != nil}
	for _, t := range page {
		out.Tags = append(out.Tags, types.Tag{TagKey: aws.String(t.Key), TagValue: aws.String(t.Value)})
	}
	return out, nil
}
