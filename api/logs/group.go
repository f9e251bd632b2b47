package logs

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

func (a *API) createLogGroup(ctx context.Context, in *cloudwatchlogs.CreateLogGroupInput) (*cloudwatchlogs.CreateLogGroupOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	row := &model.LogGroup{
		Scope: s, Name: *in.LogGroupName, ID: a.NewID(), CreatedAt: a.now(),
		Class: string(in.LogGroupClass), Protected: value(in.DeletionProtectionEnabled),
	}
	if err := checkGroupName(row.Name); err != nil {
		return nil, err
	}
	if row.Class == "" {
		row.Class = string(types.LogGroupClassStandard)
	} else if err := checkClass(in.LogGroupClass); err != nil {
		return nil, err
	}
	if row.Tags, err = mergeTags(nil, in.Tags); err != nil {
		return nil, err
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		if _, ok := tx.LogGroups.Get(row.Key()); ok {
			return model.Errorf("ResourceAlreadyExistsException", "The specified log group already exists") // [O]
		}
		if in.KmsKeyId != nil {
			if err := a.associate(ctx, tx, row, *in.KmsKeyId); err != nil {
				return err
			}
		}
		tx.LogGroups.Put(row)
		return nil
	})
	return &cloudwatchlogs.CreateLogGroupOutput{}, err
}

func checkClass(c types.LogGroupClass) error {
	if !slices.Contains(c.Values(), c) {
		return violation(c, "logGroupClass", "Member must satisfy enum value set: [STANDARD, INFREQUENT_ACCESS, DELIVERY]")
	}
	return nil
}

func (a *API) describeLogGroups(ctx context.Context, in *cloudwatchlogs.DescribeLogGroupsInput) (*cloudwatchlogs.DescribeLogGroupsOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	size, err := limit(in.Limit, "limit", 50, 50)
	if err != nil {
		return nil, err
	}
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, invalid("LogGroupNamePrefix and LogGroupNamePattern are mutually exclusive parameters.") // [I]
	}
	rows := a.groups(s, value(in.LogGroupNamePrefix), value(in.LogGroupNamePattern), in.LogGroupClass)
	if len(in.LogGroupIdentifiers) > 0 {
		var names []string
		for _, id := range in.LogGroupIdentifiers {
			name, err := groupOf(s, id)
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
		rows = slices.DeleteFunc(rows, func(r *model.LogGroup) bool { return !slices.Contains(names, r.Name) })
	}
	filters := append([]string{s.Account, s.Region, value(in.LogGroupNamePrefix), value(in.LogGroupNamePattern), string(in.LogGroupClass)},
		in.LogGroupIdentifiers...)
	out := &cloudwatchlogs.DescribeLogGroupsOutput{LogGroups: []types.LogGroup{}}
	rows, out.NextToken, err = pageOf("DescribeLogGroups", filters, rows, nameOf, size, in.NextToken)
	if err == nil && len(rows) > 0 {
		err = a.Ready(ctx, "") // not for each: one whose key is disabled would hide all others
	}
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		g, err := a.show(r)
		if err != nil {
			return nil, err
		}
		out.LogGroups = append(out.LogGroups, g)
	}
	return out, nil
}

func nameOf(r *model.LogGroup) string { return r.Name }

// groups are the rows of a scope by name, whose names begin with prefix and have pattern in them, in any case.
func (a *API) groups(s model.Scope, prefix, pattern string, class types.LogGroupClass) []*model.LogGroup {
	var rows []*model.LogGroup
	for r := range a.DB.Snapshot().LogGroups.Prefix(s.Key(prefix)) {
		if strings.Contains(strings.ToLower(r.Name), strings.ToLower(pattern)) && (class == "" || string(class) == r.Class) {
			rows = append(rows, r)
		}
	}
	return rows
}

// show is a row in the API's shape. The bytes are those of messages, not of files [I].
func (a *API) show(r *model.LogGroup) (types.LogGroup, error) {
	g, err := a.Store.Group(r.ID)
	if err != nil {
		return types.LogGroup{}, err
	}
	out := types.LogGroup{
		Arn: aws.String(r.ARN() + ":*"), LogGroupArn: aws.String(r.ARN()), LogGroupName: aws.String(r.Name),
		CreationTime: aws.Int64(r.CreatedAt), LogGroupClass: types.LogGroupClass(r.Class),
		MetricFilterCount: aws.Int32(int32(len(r.MetricFilters))), StoredBytes: aws.Int64(g.Usage().Bytes),
		DeletionProtectionEnabled: aws.Bool(r.Protected),
	}
	if r.RetentionDays > 0 {
		out.RetentionInDays = aws.Int32(r.RetentionDays)
	}
	if r.KMSKey != "" {
		out.KmsKeyId = aws.String(r.KMSKey)
	}
	return out, nil
}

func (a *API) listLogGroups(ctx context.Context, in *cloudwatchlogs.ListLogGroupsInput) (*cloudwatchlogs.ListLogGroupsOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if len(in.DataSources) > 0 || len(in.FieldIndexNames) > 0 || len(in.LogGroupTags) > 0 {
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead lists log groups by name and class only.")
	}
	size, err := limit(in.Limit, "limit", 50, 1000)
	if err != nil {
		return nil, err
	}
	rows := a.groups(s, "", "", in.LogGroupClass)
	pattern, anchored := strings.CutPrefix(value(in.LogGroupNamePattern), "^") // [D] ^ for names that begin with it
	rows = slices.DeleteFunc(rows, func(r *model.LogGroup) bool {
		return anchored && !strings.HasPrefix(r.Name, pattern) || !strings.Contains(r.Name, pattern)
	})
	out := &cloudwatchlogs.ListLogGroupsOutput{LogGroups: []types.LogGroupSummary{}}
	rows, out.NextToken, err = pageOf("ListLogGroups", []string{s.Account, s.Region, value(in.LogGroupNamePattern), string(in.LogGroupClass)},
		rows, nameOf, size, in.NextToken)
	for _, r := range rows {
		out.LogGroups = append(out.LogGroups, types.LogGroupSummary{
			LogGroupArn: aws.String(r.ARN()), LogGroupName: aws.String(r.Name), LogGroupClass: types.LogGroupClass(r.Class),
		})
	}
	return out, err
}

func (a *API) deleteLogGroup(ctx context.Context, in *cloudwatchlogs.DeleteLogGroupInput) (*cloudwatchlogs.DeleteLogGroupOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	var id string
	// The row first: from then on nobody writes, and events without a row do not exist.
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		row, err := lookup(tx.Tables, s, in.LogGroupName)
		if err != nil {
			return err
		}
		if row.Protected {
			return model.Errorf("ValidationException", "The log group has deletion protection enabled. Disable it first.") // [I]
		}
		id = row.ID
		tx.LogGroups.Delete(row.Key())
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	delete(a.keys, id)
	a.mu.Unlock()
	if err := a.Store.Remove(id); err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DeleteLogGroupOutput{}, a.Hold(ctx, id, 0)
}

// retentions are the days that AWS takes [D].
func retentions() []int32 {
	return []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
}

func (a *API) putRetentionPolicy(ctx context.Context, in *cloudwatchlogs.PutRetentionPolicyInput) (*cloudwatchlogs.PutRetentionPolicyOutput, error) {
	days := value(in.RetentionInDays)
	if !slices.Contains(retentions(), days) {
		return nil, violation(days, "retentionInDays", // [O]
			"Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]")
	}
	return &cloudwatchlogs.PutRetentionPolicyOutput{}, a.change(ctx, in.LogGroupName, func(r *model.LogGroup) error {
		r.RetentionDays = days
		return nil
	})
}

func (a *API) deleteRetentionPolicy(ctx context.Context, in *cloudwatchlogs.DeleteRetentionPolicyInput) (
	*cloudwatchlogs.DeleteRetentionPolicyOutput, error,
) {
	return &cloudwatchlogs.DeleteRetentionPolicyOutput{}, a.change(ctx, in.LogGroupName, func(r *model.LogGroup) error {
		r.RetentionDays = 0
		return nil
	})
}

func (a *API) putLogGroupDeletionProtection(ctx context.Context, in *cloudwatchlogs.PutLogGroupDeletionProtectionInput) (
	*cloudwatchlogs.PutLogGroupDeletionProtectionOutput, error,
) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	name, err := groupOf(s, *in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.PutLogGroupDeletionProtectionOutput{}, a.change(ctx, &name, func(r *model.LogGroup) error {
		r.Protected = value(in.DeletionProtectionEnabled)
		return nil
	})
}
