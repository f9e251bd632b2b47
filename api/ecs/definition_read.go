package ecs

import (
	"context"
	"iter"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// describeDefinition shows the latest ACTIVE revision of a family, or one exact revision whatever its status
// (SEMANTICS §2.4).
func (a *api) describeDefinition(ctx context.Context, in *sdk.DescribeTaskDefinitionInput) (*sdk.DescribeTaskDefinitionOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	s := who.Scope()
	row, ok := findDefinition(a.DB.Snapshot().Tables, s, parseDefinitionRef(s, value(in.TaskDefinition)))
	if !ok {
		return nil, refused("Unable to describe task definition.") // [O]
	}
	v := viewDefinition(row)
	out := &sdk.DescribeTaskDefinitionOutput{TaskDefinition: &v}
	if slices.Contains(in.Include, types.TaskDefinitionFieldTags) {
		out.Tags = tagViews(row.Tags)
	}
	return out, nil
}

// viewDefinition shows a revision: the normalised spec and what only the row knows.
func viewDefinition(d *model.TaskDefinition) types.TaskDefinition {
	v, arn := d.Spec, d.ARN()
	v.TaskDefinitionArn, v.Family, v.Revision = &arn, &d.Family, d.Revision
	v.Status = types.TaskDefinitionStatus(d.Status)
	v.RegisteredAt, v.RegisteredBy = moment(d.RegisteredAt), text(d.RegisteredBy)
	v.DeregisteredAt, v.DeleteRequestedAt = moment(d.DeregisteredAt), moment(d.DeleteAt)
	return v
}

// listDefinitions lists revisions by family and number; familyPrefix is a whole family name (SEMANTICS §2.4) [D].
func (a *api) listDefinitions(ctx context.Context, in *sdk.ListTaskDefinitionsInput) (*sdk.ListTaskDefinitionsOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	status := in.Status
	switch status {
	case "":
		status = types.TaskDefinitionStatusActive
	case types.TaskDefinitionStatusActive, types.TaskDefinitionStatusInactive, types.TaskDefinitionStatusDeleteInProgress:
	default:
		return nil, invalid("Invalid task definition status '%s'.", status) // [I]
	}
	if in.Sort != "" && in.Sort != types.SortOrderAsc && in.Sort != types.SortOrderDesc {
		return nil, invalid("Invalid sort order '%s'.", in.Sort) // [I]
	}
	s := who.Scope()
	p, err := newPager("ListTaskDefinitions", []string{s.Account, s.Region, value(in.FamilyPrefix), string(in.Sort), string(status)},
		100, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	rows := revisions(t, s, value(in.FamilyPrefix))
	if in.Sort == types.SortOrderDesc {
		falling := slices.Collect(rows)
		slices.Reverse(falling)
		rows, p.falling = slices.Values(falling), true
	}
	for d := range rows {
		if d.Status == string(status) && !p.add(revisionOrder(d), d.ARN()) {
			break
		}
	}
	return &sdk.ListTaskDefinitionsOutput{TaskDefinitionArns: p.out, NextToken: p.next}, nil
}

// revisionOrder sorts by family, then by number: a name that begins with another comes after it, so the separator is
// below every character of names.
func revisionOrder(d *model.TaskDefinition) string {
	return d.Family + " " + d.Key()[len(d.Key())-10:]
}

// revisions yields the revisions of the families with the name, or of all if it is "", in order.
func revisions(t *state.Tables, s model.Scope, family string) iter.Seq[*model.TaskDefinition] {
	return func(yield func(*model.TaskDefinition) bool) {
		for f := range t.Families.Prefix(s.Key(family)) {
			if family != "" && f.Name != family {
				return // the name itself sorts before the names that begin with it
			}
			for d := range t.DefinitionsOf(s, f.Name) {
				if !yield(d) {
					return
				}
			}
		}
	}
}

// listFamilies lists the families that have a revision; familyPrefix is a real prefix (SEMANTICS §2.4) [D].
func (a *api) listFamilies(ctx context.Context, in *sdk.ListTaskDefinitionFamiliesInput) (*sdk.ListTaskDefinitionFamiliesOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	switch in.Status {
	case "", types.TaskDefinitionFamilyStatusAll, types.TaskDefinitionFamilyStatusActive, types.TaskDefinitionFamilyStatusInactive:
	default:
		return nil, invalid("Invalid task definition family status '%s'.", in.Status) // [I]
	}
	s := who.Scope()
	p, err := newPager("ListTaskDefinitionFamilies", []string{s.Account, s.Region, value(in.FamilyPrefix), string(in.Status)},
		100, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	for f := range t.Families.From(s.Key(value(in.FamilyPrefix)), s.Key(p.start())) {
		if inFamilyStatus(t, f, in.Status) && !p.add(f.Name, f.Name) {
			break
		}
	}
	return &sdk.ListTaskDefinitionFamiliesOutput{Families: p.out, NextToken: p.next}, nil
}

// inFamilyStatus reports whether a family is to be listed: ACTIVE ones have an ACTIVE revision, INACTIVE ones only
// others, and a family without any revision is listed nowhere.
func inFamilyStatus(t *state.Tables, f *model.Family, want types.TaskDefinitionFamilyStatus) bool {
	any, active := false, false
	if d, ok := t.Definitions.Get(model.DefinitionKey(f.Scope, f.Name, f.LastRevision)); ok {
		any, active = true, d.Status == model.DefinitionActive // spares the scan, nearly always
	}
	for d := range t.DefinitionsOf(f.Scope, f.Name) {
		if active {
			break
		}
		any, active = true, d.Status == model.DefinitionActive
	}
	switch want {
	case types.TaskDefinitionFamilyStatusActive:
		return active
	case types.TaskDefinitionFamilyStatusInactive:
		return any && !active
	}
	return any
}
