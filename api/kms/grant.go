package kms

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"
	"maps"
	"regexp"
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

// maxGrants is how many grants a key may have [D].
const maxGrants = 50_000

var grantName = regexp.MustCompile(`^[a-zA-Z0-9:/_-]{1,256}$`)

// createGrant lets a principal use a key. One that is asked for again by its name is the one that is there [D].
func (a *api) createGrant(ctx context.Context, in *sdk.CreateGrantInput) (*sdk.CreateGrantOutput, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return nil, invalid("the request was not verified")
	}
	want, err := readGrant(in)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 32)
	if _, err := io.ReadFull(a.Random, id); err != nil {
		return nil, err
	}
	want.ID, want.Issuer, want.CreatedAt = hex.EncodeToString(id), "arn:aws:iam::"+p.Account+":root", a.now()
	var key *model.KMSKey
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		if key, err = tx.FindKMSKey(p.Scope(), deref(in.KeyId), a.now()); err != nil {
			return err
		}
		if err := grantable(tx.Tables, key, want); err != nil {
			return err
		}
		row := *want
		row.Scope, row.KeyID = key.Scope, key.ID
		n := 0
		for have := range tx.GrantsOf(key) {
			if n++; row.Name != "" && sameGrant(have, &row) {
				want = have
				return dried(in.DryRun)
			}
		}
		if n >= maxGrants {
			return model.Errorf("LimitExceededException", "The key has %d grants.", n) // [I]
		}
		if err := dried(in.DryRun); err != nil {
			return err
		}
		tx.KMSGrants.Put(&row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.CreateGrantOutput{GrantId: &want.ID, GrantToken: aws.String(base64.URLEncoding.EncodeToString([]byte(key.ARN() + " " + want.ID)))}, nil
}

// readGrant checks a request by itself.
func readGrant(in *sdk.CreateGrantInput) (*model.KMSGrant, error) {
	g := &model.KMSGrant{Name: deref(in.Name), Grantee: deref(in.GranteePrincipal), Retiring: deref(in.RetiringPrincipal)}
	switch {
	case in.GranteeServicePrincipal != nil, in.RetiringServicePrincipal != nil:
		return nil, unsupported("Roadstead does not serve grants for services.")
	case g.Name != "" && !grantName.MatchString(g.Name):
		return nil, invalid("1 validation error detected: Value '%s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$", g.Name) // [I]
	case len(in.Operations) == 0:
		return nil, invalid("1 validation error detected: Value '[]' at 'operations' failed to satisfy constraint: Member must have length greater than or equal to 1") // [I]
	}
	for _, arn := range []string{g.Grantee, g.Retiring} {
		if (arn != "" || arn == g.Grantee) && !policy.IsPrincipal(arn) {
			return nil, model.Errorf("InvalidArnException", "Invalid ARN: %s", arn) // [I]
		}
	}
	for _, op := range in.Operations {
		if !slices.Contains(op.Values(), op) {
			return nil, invalid("1 validation error detected: Value '[%s]' at 'operations' failed to satisfy constraint: Member must satisfy enum value set", op) // [I]
		}
		g.Operations = append(g.Operations, string(op))
	}
	if c := in.Constraints; c != nil {
		switch {
		case c.SourceArn != nil:
			return nil, unsupported("Roadstead does not serve grants with a SourceArn.")
		case len(c.EncryptionContextEquals) > 0 && len(c.EncryptionContextSubset) > 0:
			return nil, invalid("A grant can have EncryptionContextEquals or EncryptionContextSubset, and not both.") // [I]
		case len(c.EncryptionContextEquals) > 0:
			g.Equals = c.EncryptionContextEquals
		case len(c.EncryptionContextSubset) > 0:
			g.Subset = c.EncryptionContextSubset
		}
	}
	return g, nil
}

// grantable refuses what no grant of the key can be.
func grantable(t *state.Tables, key *model.KMSKey, g *model.KMSGrant) error {
	switch {
	case works(key) != nil:
		return works(key)
	case key.AWS != "":
		return model.Errorf("AccessDeniedException", "The key %s is managed by AWS.", key.ARN()) // [I]
	case key.Spec != "" && (g.Equals != nil || g.Subset != nil):
		return invalid("Grants of the key spec %s have no constraints about encryption contexts.", key.Spec) // [D] the rule, [I] the words
	}
	for _, arn := range []string{g.Grantee, g.Retiring} {
		if arn != "" && !t.HasPrincipal(arn) {
			return model.Errorf("InvalidArnException", "Invalid ARN: %s", arn) // [I]
		}
	}
	allowed := grantOperations(key)
	for _, op := range g.Operations {
		if !slices.Contains(allowed, op) {
			return invalid("The operation %s is not valid for a grant of the key spec %s and the usage %s.", op, specOf(key), usageOf(key)) // [D] the rule, [I] the words
		}
	}
	return nil
}

// grantOperations are those that grants of a key can be of [D].
func grantOperations(key *model.KMSKey) []string {
	all := []string{"CreateGrant", "RetireGrant", "DescribeKey"}
	switch {
	case key.Spec == "":
		return append(all, "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
			"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")
	case usageOf(key) == string(types.KeyUsageTypeGenerateVerifyMac):
		return append(all, "GenerateMac", "VerifyMac")
	case usageOf(key) == string(types.KeyUsageTypeSignVerify):
		return append(all, "Sign", "Verify", "GetPublicKey")
	}
	return append(all, "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey")
}

// sameGrant says whether two grants differ by their ids only.
func sameGrant(a, b *model.KMSGrant) bool {
	return a.Name == b.Name && a.Grantee == b.Grantee && a.Retiring == b.Retiring && slices.Equal(a.Operations, b.Operations) &&
		maps.Equal(a.Equals, b.Equals) && maps.Equal(a.Subset, b.Subset)
}

func (a *api) listGrants(ctx context.Context, in *sdk.ListGrantsInput) (*sdk.ListGrantsOutput, error) {
	key, err := a.look(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	var rows []*model.KMSGrant
	for g := range a.DB.Snapshot().GrantsOf(key) {
		if (in.GrantId == nil || g.ID == *in.GrantId) && (in.GranteePrincipal == nil || g.Grantee == *in.GranteePrincipal) && in.GranteeServicePrincipal == nil {
			rows = append(rows, g)
		}
	}
	out := &sdk.ListGrantsOutput{}
	out.Grants, out.NextMarker, err = grantPage("ListGrants", []string{key.Key(), deref(in.GrantId), deref(in.GranteePrincipal)}, rows, in.Limit, in.Marker)
	out.Truncated = out.NextMarker != nil
	return out, err
}

// listRetirableGrants are those of the caller's account and Region that a principal may retire.
func (a *api) listRetirableGrants(ctx context.Context, in *sdk.ListRetirableGrantsInput) (*sdk.ListRetirableGrantsOutput, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	if in.RetiringPrincipal == nil {
		return nil, invalid("1 validation error detected: Value null at 'retiringPrincipal' failed to satisfy constraint: Member must not be null") // [I]
	}
	var rows []*model.KMSGrant
	for g := range a.DB.Snapshot().KMSGrants.Prefix(s.Key("")) {
		if g.Retiring == *in.RetiringPrincipal {
			rows = append(rows, g)
		}
	}
	out := &sdk.ListRetirableGrantsOutput{}
	out.Grants, out.NextMarker, err = grantPage("ListRetirableGrants", []string{s.Key(""), *in.RetiringPrincipal}, rows, in.Limit, in.Marker)
	out.Truncated = out.NextMarker != nil
	return out, err
}

func grantPage(op string, filters any, rows []*model.KMSGrant, size *int32, marker *string) ([]types.GrantListEntry, *string, error) {
	page, next, err := pageOf(op, filters, rows, (*model.KMSGrant).Key, size, marker)
	out := []types.GrantListEntry{}
	for _, g := range page {
		e := types.GrantListEntry{
			GrantId: &g.ID, KeyId: aws.String(g.Scope.ARN("kms", "key/"+g.KeyID)), CreationDate: moment(g.CreatedAt), GranteePrincipal: &g.Grantee, IssuingAccount: &g.Issuer, Name: aws.String(g.Name),
		}
		if g.Retiring != "" {
			e.RetiringPrincipal = &g.Retiring
		}
		for _, op := range g.Operations {
			e.Operations = append(e.Operations, types.GrantOperation(op))
		}
		if g.Equals != nil || g.Subset != nil {
			e.Constraints = &types.GrantConstraints{EncryptionContextEquals: g.Equals, EncryptionContextSubset: g.Subset}
		}
		out = append(out, e)
	}
	return out, next, err
}

// dropGrant deletes a grant of a key.
func (a *api) dropGrant(ctx context.Context, key, id string, dry *bool) error {
	s, err := scopeOf(ctx)
	if err != nil {
		return err
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		row, err := tx.FindKMSKey(s, key, a.now())
		if err != nil {
			return err
		}
		g, ok := tx.KMSGrants.Get(row.Scope.Key(row.ID, id))
		if !ok {
			return model.Errorf("NotFoundException", "Grant with ID %s is not found in key %s.", id, row.ARN()) // [I]
		}
		if err := dried(dry); err != nil {
			return err
		}
		tx.KMSGrants.Delete(g.Key())
		return nil
	})
}

func (a *api) revokeGrant(ctx context.Context, in *sdk.RevokeGrantInput) (*sdk.RevokeGrantOutput, error) {
	return &sdk.RevokeGrantOutput{}, a.dropGrant(ctx, deref(in.KeyId), deref(in.GrantId), in.DryRun)
}

// retireGrant: the grant is named by its token, or by its id and its key's ARN [D].
func (a *api) retireGrant(ctx context.Context, in *sdk.RetireGrantInput) (*sdk.RetireGrantOutput, error) {
	key, id := deref(in.KeyId), deref(in.GrantId)
	if in.GrantToken != nil {
		if key != "" || id != "" {
			return nil, invalid("A grant is named by its token, or by its ID and its key, and not by both.") // [I]
		}
		text, err := base64.URLEncoding.DecodeString(*in.GrantToken)
		if err != nil {
			return nil, model.Errorf("InvalidGrantTokenException", "The grant token is not valid.") // [I]
		}
		key, id, _ = strings.Cut(string(text), " ")
	}
	if key == "" || id == "" {
		return nil, invalid("A grant is named by its token, or by its ID and its key.") // [I]
	}
	return &sdk.RetireGrantOutput{}, a.dropGrant(ctx, key, id, in.DryRun)
}
