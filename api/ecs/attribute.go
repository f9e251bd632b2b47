package ecs

import (
	"context"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Built-in attributes that this package reads (SEMANTICS §5.1).
const (
	attrZone         = "ecs.availability-zone"
	attrInstanceType = "ecs.instance-type"
	attrImage        = "ecs.ami-id"
	attrOS           = "ecs.os-type"
	attrArchitecture = "ecs.cpu-architecture"
	attrExternal     = "ecs.capability.external"
)

// maxCustomAttributes is the most attributes of the user's own on one instance (SEMANTICS §2.3) [D].
const maxCustomAttributes = 10

// builtIn reports whether only the agent and the control plane write the attribute.
func builtIn(name string) bool {
	return strings.HasPrefix(name, "ecs.") || strings.HasPrefix(name, "com.amazonaws.") || strings.HasPrefix(name, "roadstead.")
}

func readAttribute(a types.Attribute) model.Attribute {
	return model.Attribute{Name: value(a.Name), Value: value(a.Value), HasValue: a.Value != nil}
}

func attributeViews(as []model.Attribute) []types.Attribute {
	out := make([]types.Attribute, len(as))
	for i := range as {
		out[i].Name = &as[i].Name
		if as[i].HasValue {
			out[i].Value = &as[i].Value
		}
	}
	return out
}

// targetAttribute is an attribute with the instance that it is on, as PutAttributes and its like name it.
func targetAttribute(i *model.Instance, a model.Attribute) types.Attribute {
	v := attributeViews([]model.Attribute{a})[0]
	v.TargetId, v.TargetType = text(i.ARN()), types.TargetTypeContainerInstance
	return v
}

// putAttributes sets attributes of the user's own on instances, all or none (SEMANTICS §2.3).
func (a *api) putAttributes(ctx context.Context, in *sdk.PutAttributesInput) (*sdk.PutAttributesOutput, error) {
	out := &sdk.PutAttributesOutput{}
	err := a.changeAttributes(ctx, in.Cluster, in.Attributes, func(i *model.Instance, attr model.Attribute) error {
		if at := slices.IndexFunc(i.Attributes, func(o model.Attribute) bool { return o.Name == attr.Name }); at >= 0 {
			i.Attributes[at] = attr
		} else {
			i.Attributes = append(i.Attributes, attr)
		}
		own := 0
		for _, o := range i.Attributes {
			if !builtIn(o.Name) {
				own++
			}
		}
		if own > maxCustomAttributes {
			return model.Errorf("AttributeLimitExceededException", "Container instance %s cannot have more than %d custom attributes.",
				i.ARN(), maxCustomAttributes) // [I]; the limit is [D]
		}
		return nil
	}, &out.Attributes)
	return out, err
}

// deleteAttributes removes attributes of the user's own; one that is not there is no error [I].
func (a *api) deleteAttributes(ctx context.Context, in *sdk.DeleteAttributesInput) (*sdk.DeleteAttributesOutput, error) {
	out := &sdk.DeleteAttributesOutput{}
	err := a.changeAttributes(ctx, in.Cluster, in.Attributes, func(i *model.Instance, attr model.Attribute) error {
		i.Attributes = slices.DeleteFunc(i.Attributes, func(o model.Attribute) bool {
			return o.Name == attr.Name && (!attr.HasValue || o.Value == attr.Value)
		})
		return nil
	}, &out.Attributes)
	return out, err
}

// changeAttributes runs change for each attribute on a copy of its instance, and shows the attributes as given.
func (a *api) changeAttributes(ctx context.Context, cluster *string, attrs []types.Attribute,
	change func(*model.Instance, model.Attribute) error, shown *[]types.Attribute) error {
	who, err := principal(ctx)
	if err != nil {
		return err
	}
	if err := checkBatch("Attributes", len(attrs), 10); err != nil {
		return err
	}
	for _, attr := range attrs {
		if err := checkAttribute(attr); err != nil {
			return err
		}
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		*shown = []types.Attribute{}
		c, err := activeCluster(tx.Tables, who.Scope(), cluster)
		if err != nil {
			return err
		}
		for _, given := range attrs {
			have, err := attributeTarget(tx.Tables, c, value(given.TargetId))
			if err != nil {
				return err
			}
			row, attr := *have, readAttribute(given)
			row.Attributes = slices.Clone(have.Attributes)
			if err := change(&row, attr); err != nil {
				return err
			}
			if !slices.Equal(row.Attributes, have.Attributes) {
				row.Version++
				tx.Instances.Put(&row)
			}
			*shown = append(*shown, targetAttribute(&row, attr))
		}
		return nil
	})
}

// attributeTarget returns the instance that an attribute is for.
func attributeTarget(t *state.Tables, c *model.Cluster, ref string) (*model.Instance, error) {
	i, m, err := findInstance(t, c, ref)
	if err == nil && (i == nil || i.Status == model.InstanceInactive) {
		err = model.Errorf("TargetNotFoundException", "The specified target %s wasn't found.", m.given) // [D, the sentence]
	}
	return i, err
}

// checkAttribute checks name, value and target of an attribute of the user's own (SEMANTICS §5.1) [D; wording I].
func checkAttribute(a types.Attribute) error {
	name := value(a.Name)
	switch {
	case builtIn(name):
		return invalid("The attribute name '%s' is reserved.", name)
	case !attributeText(name, "_-./\\", 1):
		return invalid("Invalid attribute name '%s'.", name)
	case a.Value != nil && !attributeText(*a.Value, "_-./\\@: ", 1):
		return invalid("Invalid attribute value '%s'.", *a.Value)
	case strings.TrimSpace(value(a.Value)) != value(a.Value):
		return invalid("The attribute value '%s' can not begin or end with a space.", *a.Value)
	case a.TargetType != "" && a.TargetType != types.TargetTypeContainerInstance:
		return invalid("Invalid target type '%s'. Valid values: [container-instance]", a.TargetType)
	case value(a.TargetId) == "":
		return invalid("The target id of an attribute can not be blank.")
	}
	return nil
}

// attributeText reports whether s has at least least and at most 128 letters, digits and the others.
func attributeText(s, others string, least int) bool {
	if len(s) < least || len(s) > 128 {
		return false
	}
	for _, r := range s {
		if !alphanumeric(r) && !strings.ContainsRune(others, r) {
			return false
		}
	}
	return true
}

// listAttributes lists the attributes of the cluster's instances by name and value (SEMANTICS §2.3).
func (a *api) listAttributes(ctx context.Context, in *sdk.ListAttributesInput) (*sdk.ListAttributesOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case in.TargetType != types.TargetTypeContainerInstance:
		return nil, invalid("Invalid target type '%s'. Valid values: [container-instance]", in.TargetType) // [I]
	case in.AttributeValue != nil && value(in.AttributeName) == "":
		return nil, invalid("attributeValue can only be given together with attributeName.") // [I]; the rule is [D]
	}
	t := a.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	p, err := newPager("ListAttributes", []string{c.Account, c.Region, c.Name, value(in.AttributeName), value(in.AttributeValue)},
		100, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &sdk.ListAttributesOutput{Attributes: []types.Attribute{}}
	from, _, _ := strings.Cut(p.start(), " ")
	prefix := c.Scope.Key(c.Name, "")
	for i := range t.Instances.From(prefix, prefix+from) {
		if i.Status == model.InstanceInactive || i.FargateOnly() {
			continue
		}
		if !listAttributesOf(i, in, p, &out.Attributes) {
			break
		}
	}
	out.NextToken = p.next
	return out, nil
}

// listAttributesOf puts the matching attributes of one instance on the page, by name.
func listAttributesOf(i *model.Instance, in *sdk.ListAttributesInput, p *pager, out *[]types.Attribute) bool {
	attrs := slices.Clone(i.Attributes)
	slices.SortFunc(attrs, func(x, y model.Attribute) int { return strings.Compare(x.Name, y.Name) })
	for _, attr := range attrs {
		if in.AttributeName != nil && *in.AttributeName != attr.Name || in.AttributeValue != nil && *in.AttributeValue != attr.Value {
			continue
		}
		before := len(p.out)
		if !p.add(i.ID+" "+attr.Name, attr.Name) {
			return false
		}
		if len(p.out) > before {
			*out = append(*out, targetAttribute(i, attr))
		}
	}
	return true
}
