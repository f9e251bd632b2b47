package iam

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func (a *api) serveProviders(m *wire.Mux) {
	wire.Handle(m, "CreateOpenIDConnectProvider", a.createProvider)
	wire.Handle(m, "GetOpenIDConnectProvider", a.getProvider)
	wire.Handle(m, "ListOpenIDConnectProviders", a.listProviders)
	wire.Handle(m, "DeleteOpenIDConnectProvider", a.deleteProvider)
	wire.Handle(m, "AddClientIDToOpenIDConnectProvider", a.addClientID)
	wire.Handle(m, "RemoveClientIDFromOpenIDConnectProvider", a.removeClientID)
	wire.Handle(m, "UpdateOpenIDConnectProviderThumbprint", a.updateThumbprint)
	wire.Handle(m, "TagOpenIDConnectProvider", a.tagProvider)
	wire.Handle(m, "UntagOpenIDConnectProvider", a.untagProvider)
	wire.Handle(m, "ListOpenIDConnectProviderTags", a.listProviderTags)
}

func (a *api) createProvider(ctx context.Context, in *iam.CreateOpenIDConnectProviderInput) (*iam.CreateOpenIDConnectProviderOutput, error) {
	u, err := url.Parse(value(in.Url))
	own := a.DB.Snapshot().Issuer(value(in.Url)) != nil // its keys are here, and travel nowhere
	if err != nil || u.Scheme != "https" && !own || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, model.Errorf("ValidationError", "Invalid Open ID Connect Provider URL") // [O]
	}
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := checkProvider(in.ClientIDList, in.ThumbprintList); err != nil {
		return nil, err
	}
	p := &model.OIDCProvider{
		Host: strings.TrimSuffix(u.Host+u.Path, "/"), CreatedAt: a.now(), ClientIDs: in.ClientIDList, Thumbprints: in.ThumbprintList, Tags: tags,
	}
	err = a.change(ctx, func(tx *state.Tx, account string) error {
		p.Account = account
		if _, ok := tx.OIDCProviders.Get(p.Key()); ok {
			return model.Errorf("EntityAlreadyExists", "Provider with url %s already exists.", *in.Url) // [O]
		}
		tx.OIDCProviders.Put(p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateOpenIDConnectProviderOutput{OpenIDConnectProviderArn: aws.String(p.ARN()), Tags: tagViews(tags)}, nil
}

// checkProvider: at most 100 audiences, and 5 thumbprints of 40 hex digits [D].
func checkProvider(clients, thumbprints []string) error {
	switch {
	case len(clients) > 100:
		return errQuota("ClientIdsPerOpenIdConnectProvider", 100)
	case len(thumbprints) > 5:
		return model.Errorf("InvalidInput", "Thumbprint list must contain fewer than 5 entries.") // [O]
	}
	for _, t := range thumbprints {
		if len(t) != 40 {
			return errConstraint(t, "thumbprintList.1.member", "Member must have length greater than or equal to 40") // [I]
		}
	}
	return nil
}

func findProvider(t *state.Tables, account string, arn *string) (*model.OIDCProvider, error) {
	host, ok := strings.CutPrefix(value(arn), "arn:aws:iam::"+account+":oidc-provider/")
	p, found := t.OIDCProviders.Get(account + "/" + host)
	if !ok || !found {
		return nil, model.Errorf("NoSuchEntity", "OpenIDConnect Provider not found for arn %s", value(arn)) // [O]
	}
	return p, nil
}

func (a *api) lookProvider(ctx context.Context, arn *string) (*model.OIDCProvider, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	return findProvider(t, account, arn)
}

func (a *api) getProvider(ctx context.Context, in *iam.GetOpenIDConnectProviderInput) (*iam.GetOpenIDConnectProviderOutput, error) {
	p, err := a.lookProvider(ctx, in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	return &iam.GetOpenIDConnectProviderOutput{
		Url: aws.String(p.Host), CreateDate: moment(p.CreatedAt), ClientIDList: p.ClientIDs, ThumbprintList: p.Thumbprints, Tags: tagViews(p.Tags),
	}, nil
}

func (a *api) listProviders(ctx context.Context, _ *iam.ListOpenIDConnectProvidersInput) (*iam.ListOpenIDConnectProvidersOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	out := &iam.ListOpenIDConnectProvidersOutput{OpenIDConnectProviderList: []types.OpenIDConnectProviderListEntry{}}
	for p := range t.OIDCProviders.Prefix(account + "/") {
		out.OpenIDConnectProviderList = append(out.OpenIDConnectProviderList, types.OpenIDConnectProviderListEntry{Arn: aws.String(p.ARN())})
	}
	return out, nil
}

// deleteProvider is idempotent [D].
func (a *api) deleteProvider(ctx context.Context, in *iam.DeleteOpenIDConnectProviderInput) (*iam.DeleteOpenIDConnectProviderOutput, error) {
	return &iam.DeleteOpenIDConnectProviderOutput{}, a.change(ctx, func(tx *state.Tx, account string) error {
		if p, err := findProvider(tx.Tables, account, in.OpenIDConnectProviderArn); err == nil {
			tx.OIDCProviders.Delete(p.Key())
		}
		return nil
	})
}

func (a *api) editProvider(ctx context.Context, arn *string, f func(p *model.OIDCProvider) error) error {
	return a.change(ctx, func(tx *state.Tx, account string) error {
		p, err := findProvider(tx.Tables, account, arn)
		if err != nil {
			return err
		}
		row := *p
		return putIf(f(&row), func() { tx.OIDCProviders.Put(&row) })
	})
}

func (a *api) addClientID(ctx context.Context, in *iam.AddClientIDToOpenIDConnectProviderInput) (*iam.AddClientIDToOpenIDConnectProviderOutput, error) {
	return &iam.AddClientIDToOpenIDConnectProviderOutput{}, a.editProvider(ctx, in.OpenIDConnectProviderArn, func(p *model.OIDCProvider) error {
		if !slices.Contains(p.ClientIDs, *in.ClientID) {
			p.ClientIDs = append(slices.Clone(p.ClientIDs), *in.ClientID)
		}
		return checkProvider(p.ClientIDs, nil)
	})
}

func (a *api) removeClientID(ctx context.Context, in *iam.RemoveClientIDFromOpenIDConnectProviderInput) (*iam.RemoveClientIDFromOpenIDConnectProviderOutput, error) {
	return &iam.RemoveClientIDFromOpenIDConnectProviderOutput{}, a.editProvider(ctx, in.OpenIDConnectProviderArn, func(p *model.OIDCProvider) error {
		p.ClientIDs = slices.DeleteFunc(slices.Clone(p.ClientIDs), func(id string) bool { return id == *in.ClientID })
		return nil
	})
}

func (a *api) updateThumbprint(ctx context.Context, in *iam.UpdateOpenIDConnectProviderThumbprintInput) (*iam.UpdateOpenIDConnectProviderThumbprintOutput, error) {
	return &iam.UpdateOpenIDConnectProviderThumbprintOutput{}, a.editProvider(ctx, in.OpenIDConnectProviderArn, func(p *model.OIDCProvider) error {
		p.Thumbprints = in.ThumbprintList
		return checkProvider(nil, p.Thumbprints)
	})
}

func (a *api) tagProvider(ctx context.Context, in *iam.TagOpenIDConnectProviderInput) (*iam.TagOpenIDConnectProviderOutput, error) {
	news, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return &iam.TagOpenIDConnectProviderOutput{}, a.editProvider(ctx, in.OpenIDConnectProviderArn, func(p *model.OIDCProvider) (err error) {
		p.Tags, err = tag(p.Tags, news)
		return err
	})
}

func (a *api) untagProvider(ctx context.Context, in *iam.UntagOpenIDConnectProviderInput) (*iam.UntagOpenIDConnectProviderOutput, error) {
	return &iam.UntagOpenIDConnectProviderOutput{}, a.editProvider(ctx, in.OpenIDConnectProviderArn, func(p *model.OIDCProvider) error {
		p.Tags = untag(p.Tags, in.TagKeys)
		return nil
	})
}

func (a *api) listProviderTags(ctx context.Context, in *iam.ListOpenIDConnectProviderTagsInput) (*iam.ListOpenIDConnectProviderTagsOutput, error) {
	p, err := a.lookProvider(ctx, in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	tags, page, err := tagPage("ListOpenIDConnectProviderTags", p.Key(), p.Tags, in.MaxItems, in.Marker)
	return &iam.ListOpenIDConnectProviderTagsOutput{Tags: tags, IsTruncated: page.truncated, Marker: page.marker}, err
}
