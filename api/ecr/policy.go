package ecr

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// maxPolicyBytes is how long a policy may be [D].
const maxPolicyBytes = 10240

// checkPolicy reads the policy of a repository or a registry, as noun says.
func checkPolicy(noun, text string) (*policy.Policy, error) {
	if len(text) > maxPolicyBytes {
		return nil, invalid("policyText", "Member must have length less than or equal to 10240")
	}
	p, err := policy.Parse(policy.Resource, noun+" policy", text)
	if err != nil {
		return nil, invalid("PolicyText", "Invalid "+noun+" policy provided") // [O]
	}
	return p, nil
}

// setRepositoryPolicy stores a policy, which counts in the decisions of access from then on.
func (a *API) setRepositoryPolicy(ctx context.Context, in *ecr.SetRepositoryPolicyInput) (*ecr.SetRepositoryPolicyOutput, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	text := value(in.PolicyText)
	doc, err := checkPolicy("repository", text)
	if err != nil {
		return nil, err
	}
	row, err := a.change(ctx, in.RegistryId, in.RepositoryName, func(r *model.Repository) error {
		if !in.Force && locksOut(doc, p, r) {
			return invalid("PolicyText", "The policy would prevent you from setting another one; set force to do so") // [D] the rule, [I] the words
		}
		r.Policy = text
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.SetRepositoryPolicyOutput{PolicyText: aws.String(text), RegistryId: aws.String(row.Account), RepositoryName: aws.String(row.Name)}, nil
}

// locksOut says whether a policy denies its author to set another.
func locksOut(doc *policy.Policy, p auth.Principal, r *model.Repository) bool {
	who := policy.PrincipalOf(p.ARN, p.UserID, p.Of())
	c := &policy.Context{}
	who.Describe(c)
	c.SetTags("aws:ResourceTag", r.Tags)
	c.SetTags("ecr:ResourceTag", r.Tags)
	d := policy.Decide(&policy.Request{Principal: who, Action: "ecr:SetRepositoryPolicy", Resource: r.ARN(), Context: c}, &policy.Policies{Resource: doc})
	return d.Explicit
}

func (a *API) getRepositoryPolicy(ctx context.Context, in *ecr.GetRepositoryPolicyInput) (*ecr.GetRepositoryPolicyOutput, error) {
	row, err := a.find(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if row.Policy == "" {
		return nil, errNoPolicy(row)
	}
	return &ecr.GetRepositoryPolicyOutput{PolicyText: aws.String(row.Policy), RegistryId: aws.String(row.Account), RepositoryName: aws.String(row.Name)}, nil
}

func (a *API) deleteRepositoryPolicy(ctx context.Context, in *ecr.DeleteRepositoryPolicyInput) (*ecr.DeleteRepositoryPolicyOutput, error) {
	was := ""
	row, err := a.change(ctx, in.RegistryId, in.RepositoryName, func(r *model.Repository) error {
		if was = r.Policy; was == "" {
			return errNoPolicy(r)
		}
		r.Policy = ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeleteRepositoryPolicyOutput{PolicyText: aws.String(was), RegistryId: aws.String(row.Account), RepositoryName: aws.String(row.Name)}, nil
}

func (a *API) putRegistryPolicy(ctx context.Context, in *ecr.PutRegistryPolicyInput) (*ecr.PutRegistryPolicyOutput, error) {
	text := value(in.PolicyText)
	if _, err := checkPolicy("registry", text); err != nil {
		return nil, err
	}
	row, err := a.changeRegistry(ctx, func(r *model.Registry) error {
		r.Policy = text
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutRegistryPolicyOutput{PolicyText: aws.String(text), RegistryId: aws.String(row.Account)}, nil
}

func (a *API) getRegistryPolicy(ctx context.Context, _ *ecr.GetRegistryPolicyInput) (*ecr.GetRegistryPolicyOutput, error) {
	row, err := a.registry(ctx)
	if err != nil {
		return nil, err
	}
	if row.Policy == "" {
		return nil, errNoRegistryPolicy(row.Account)
	}
	return &ecr.GetRegistryPolicyOutput{PolicyText: aws.String(row.Policy), RegistryId: aws.String(row.Account)}, nil
}

func (a *API) deleteRegistryPolicy(ctx context.Context, _ *ecr.DeleteRegistryPolicyInput) (*ecr.DeleteRegistryPolicyOutput, error) {
	was := ""
	row, err := a.changeRegistry(ctx, func(r *model.Registry) error {
		if was = r.Policy; was == "" {
			return errNoRegistryPolicy(r.Account)
		}
		r.Policy = ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeleteRegistryPolicyOutput{PolicyText: aws.String(was), RegistryId: aws.String(row.Account)}, nil
}

// registry is what the caller's account has set for its registry: nothing, if it has no row yet.
func (a *API) registry(ctx context.Context) (*model.Registry, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	return registryOf(a.DB.Snapshot().Tables, p.Scope()), nil
}

func registryOf(t *state.Tables, s model.Scope) *model.Registry {
	if row, ok := t.Registries.Get(s.Key()); ok {
		return row
	}
	return &model.Registry{Scope: s}
}

// changeRegistry puts a changed copy of the row of the caller's registry.
func (a *API) changeRegistry(ctx context.Context, f func(*model.Registry) error) (*model.Registry, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	var row model.Registry
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		row = *registryOf(tx.Tables, p.Scope())
		if err := f(&row); err != nil {
			return err
		}
		tx.Registries.Put(&row)
		return nil
	})
	return &row, err
}
