package ecs

import (
	"context"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// describeCapacityProviders shows the named providers, INACTIVE ones too, or page by page all that are ACTIVE; the two of
// FARGATE are always there (SEMANTICS §2.2). With a cluster, only those it may use.
func (a *api) describeCapacityProviders(ctx context.Context, in *sdk.DescribeCapacityProvidersInput) (*sdk.DescribeCapacityProvidersOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if len(in.CapacityProviders) > 100 {
		return nil, checkBatch("Capacity providers", len(in.CapacityProviders), 100)
	}
	tags := false
	for _, f := range in.Include {
		if f != types.CapacityProviderFieldTags {
			return nil, invalid("The include value '%s' is not valid. Valid values: %v", f, f.Values()) // [I]
		}
		tags = true
	}
	t, s := a.DB.Snapshot().Tables, who.Scope()
	usable := func(*model.CapacityProvider) bool { return true }
	if in.Cluster != nil {
		c, err := findCluster(t, s, in.Cluster)
		if err != nil {
			return nil, err
		}
		usable = func(p *model.CapacityProvider) bool { return associated(c, p.Name) || p.Cluster == c.Name }
	}
	out := &sdk.DescribeCapacityProvidersOutput{CapacityProviders: []types.CapacityProvider{}, Failures: []types.Failure{}}
	refs := in.CapacityProviders
	if len(refs) == 0 {
		p, err := newPager("DescribeCapacityProviders", []string{s.Account, s.Region, value(in.Cluster)}, 10, in.MaxResults, in.NextToken)
		if err != nil {
			return nil, err
		}
		for _, row := range activeProviders(t, s) {
			if usable(row) && !p.add(row.Name, row.Name) {
				break
			}
		}
		refs, out.NextToken = p.out, p.next
	}
	for _, ref := range refs {
		if row, ok := findProvider(t, s, ref); ok && usable(row) {
			out.CapacityProviders = append(out.CapacityProviders, viewProvider(row, tags))
		} else {
			out.Failures = append(out.Failures, missing(providerRefARN(s, ref)))
		}
	}
	return out, nil
}

// providerName is the name that a reference means, "" if it can name no provider of the scope.
func providerName(s model.Scope, ref string) string {
	arn, isARN := model.ParseARN(ref)
	if !isARN {
		return ref
	}
	name, ok := strings.CutPrefix(arn.Tail, "capacity-provider/")
	if !ok || !ours(s, arn) {
		return ""
	}
	return name
}

// providerRefARN is the ARN that the thing referred to has, or would have.
func providerRefARN(s model.Scope, ref string) string {
	if _, isARN := model.ParseARN(ref); isARN {
		return ref
	}
	return model.ProviderARN(s, ref)
}

// findProvider returns the provider that the reference means, whatever its status.
func findProvider(t *state.Tables, s model.Scope, ref string) (*model.CapacityProvider, bool) {
	name := providerName(s, ref)
	if fargateProvider(name) {
		return &model.CapacityProvider{Scope: s, Name: name, Status: model.ProviderActive}, true
	}
	return t.Providers.Get(model.ProviderKey(s, name))
}

// fargateProvider reports whether the name is of a provider that exists without being created.
func fargateProvider(name string) bool {
	return name == model.ProviderFargate || name == model.ProviderFargateSpot
}

// activeProviders are those that a listing shows, in the order of their names.
func activeProviders(t *state.Tables, s model.Scope) []*model.CapacityProvider {
	var out []*model.CapacityProvider
	for _, name := range []string{model.ProviderFargate, model.ProviderFargateSpot} {
		p, _ := findProvider(t, s, name)
		out = append(out, p)
	}
	for p := range t.Providers.Prefix(s.Key("")) {
		if p.Status == model.ProviderActive {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(x, y *model.CapacityProvider) int { return strings.Compare(x.Name, y.Name) })
	return out
}

func viewProvider(p *model.CapacityProvider, tags bool) types.CapacityProvider {
	arn := p.ARN()
	v := types.CapacityProvider{CapacityProviderArn: &arn, Name: &p.Name, Cluster: text(p.Cluster), Status: types.CapacityProviderStatus(p.Status),
		UpdateStatus: types.CapacityProviderUpdateStatus(p.UpdateStatus), UpdateStatusReason: text(p.UpdateReason), Tags: []types.Tag{},
		AutoScalingGroupProvider: p.Group, ManagedInstancesProvider: p.Managed}
	switch {
	case fargateProvider(p.Name):
		v.Type = types.CapacityProviderType(p.Name)
	case p.Group != nil:
		v.Type = types.CapacityProviderTypeEc2Autoscaling
	default:
		v.Type = types.CapacityProviderTypeManagedInstances
	}
	if tags {
		v.Tags = tagViews(p.Tags)
	}
	return v
}

// providerAttachments are what AWS attaches to a cluster for the Auto Scaling groups of its providers: a policy for managed
// scaling, a hook for managed draining [O]. Their ids follow from their names.
func providerAttachments(t *state.Tables, c *model.Cluster) []types.Attachment {
	out := []types.Attachment{}
	add := func(p *model.CapacityProvider, kind, detail, value string) {
		id := attachmentID(c, p, kind)
		out = append(out, types.Attachment{Id: &id, Type: &kind, Status: text("CREATED"), Details: []types.KeyValuePair{
			{Name: text("capacityProviderName"), Value: &p.Name}, {Name: &detail, Value: &value}}})
	}
	for _, name := range c.CapacityProviders {
		p, ok := findProvider(t, c.Scope, name)
		if !ok || p.Group == nil {
			continue
		}
		if p.Scales() {
			add(p, "as_policy", "scalingPolicyName", "ECSManagedAutoScalingPolicy-"+attachmentID(c, p, "policy"))
		}
		if p.Group.ManagedDraining == types.ManagedDrainingEnabled {
			add(p, "managed_draining", "autoScalingLifecycleHookName", "ecs-managed-draining-termination-hook")
		}
	}
	return out
}

func attachmentID(c *model.Cluster, p *model.CapacityProvider, kind string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(c.ARN()+" "+p.ARN()+" "+kind)).String()
}
