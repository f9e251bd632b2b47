package logs

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/model"
)

// testMetricFilter says which messages a pattern matches, and what it takes out of them.
func (a *API) testMetricFilter(_ context.Context, in *cloudwatchlogs.TestMetricFilterInput) (*cloudwatchlogs.TestMetricFilterOutput, error) {
	p, err := parsePattern(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	if len(in.LogEventMessages) > 50 {
		return nil, violation(in.LogEventMessages, "logEventMessages", "Member must have length less than or equal to 50")
	}
	out := &cloudwatchlogs.TestMetricFilterOutput{Matches: []types.MetricFilterMatchRecord{}}
	for i, m := range in.LogEventMessages {
		if values, ok := p.Extract(m); ok {
			out.Matches = append(out.Matches, types.MetricFilterMatchRecord{
				EventMessage: aws.String(m), EventNumber: int64(i + 1), ExtractedValues: values,
			})
		}
	}
	return out, nil
}

// putMetricFilter stores a filter. Its metrics are not made yet.
func (a *API) putMetricFilter(ctx context.Context, in *cloudwatchlogs.PutMetricFilterInput) (*cloudwatchlogs.PutMetricFilterOutput, error) {
	if _, err := parsePattern(in.FilterPattern); err != nil {
		return nil, err
	}
	if in.FieldSelectionCriteria != nil || len(in.EmitSystemFieldDimensions) > 0 {
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead serves metric filters without fieldSelectionCriteria and emitSystemFieldDimensions.")
	}
	if name := *in.FilterName; name == "" || len(name) > 512 || strings.ContainsAny(name, ":*") {
		return nil, violation(name, "filterName", "Member must satisfy regular expression pattern: [^:*]*")
	}
	f := model.LogMetricFilter{Name: *in.FilterName, Pattern: *in.FilterPattern, CreatedAt: a.now(), Transformed: in.ApplyOnTransformedLogs}
	if len(in.MetricTransformations) != 1 {
		return nil, violation(in.MetricTransformations, "metricTransformations", "Member must have length equal to 1")
	}
	for _, t := range in.MetricTransformations {
		f.Metrics = append(f.Metrics, model.LogMetricTransform{
			Namespace: *t.MetricNamespace, Name: *t.MetricName, Value: *t.MetricValue, Default: t.DefaultValue, Unit: string(t.Unit), Dimensions: t.Dimensions,
		})
		if t.DefaultValue != nil && len(t.Dimensions) > 0 {
			return nil, invalid("Invalid metric transformation: dimensions and default value are mutually exclusive properties.") // [O]
		}
	}
	return &cloudwatchlogs.PutMetricFilterOutput{}, a.change(ctx, in.LogGroupName, func(r *model.LogGroup) error {
		r.MetricFilters = slices.Clone(r.MetricFilters)
		i, found := slices.BinarySearchFunc(r.MetricFilters, f.Name, byName)
		switch {
		case found:
			r.MetricFilters[i] = f
		case len(r.MetricFilters) >= 100: // [D]
			return model.Errorf("LimitExceededException", "Resource limit exceeded.")
		default:
			r.MetricFilters = slices.Insert(r.MetricFilters, i, f)
		}
		return nil
	})
}

func byName(f model.LogMetricFilter, name string) int { return strings.Compare(f.Name, name) }

func (a *API) deleteMetricFilter(ctx context.Context, in *cloudwatchlogs.DeleteMetricFilterInput) (*cloudwatchlogs.DeleteMetricFilterOutput, error) {
	return &cloudwatchlogs.DeleteMetricFilterOutput{}, a.change(ctx, in.LogGroupName, func(r *model.LogGroup) error {
		i, found := slices.BinarySearchFunc(r.MetricFilters, *in.FilterName, byName)
		if !found {
			return model.Errorf("ResourceNotFoundException", "The specified metric filter does not exist.") // [O]
		}
		r.MetricFilters = slices.Delete(slices.Clone(r.MetricFilters), i, i+1)
		return nil
	})
}

func (a *API) describeMetricFilters(ctx context.Context, in *cloudwatchlogs.DescribeMetricFiltersInput) (
	*cloudwatchlogs.DescribeMetricFiltersOutput, error,
) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	size, err := limit(in.Limit, "limit", 50, 50)
	if err != nil {
		return nil, err
	}
	groups := a.groups(s, "", "", "")
	if in.LogGroupName != nil {
		row, err := a.find(ctx, in.LogGroupName)
		if err != nil {
			return nil, err
		}
		groups = []*model.LogGroup{row}
	}
	var filters []types.MetricFilter
	for _, g := range groups {
		for i := range g.MetricFilters {
			f := &g.MetricFilters[i]
			uses := slices.ContainsFunc(f.Metrics, func(m model.LogMetricTransform) bool {
				return (in.MetricName == nil || m.Name == *in.MetricName) && (in.MetricNamespace == nil || m.Namespace == *in.MetricNamespace)
			})
			if uses && strings.HasPrefix(f.Name, value(in.FilterNamePrefix)) {
				filters = append(filters, showMetricFilter(g, f))
			}
		}
	}
	out := &cloudwatchlogs.DescribeMetricFiltersOutput{MetricFilters: []types.MetricFilter{}}
	bound := []string{s.Account, s.Region, value(in.LogGroupName), value(in.FilterNamePrefix), value(in.MetricName), value(in.MetricNamespace)}
	filters, out.NextToken, err = pageOf("DescribeMetricFilters", bound, filters,
		func(f types.MetricFilter) string { return *f.LogGroupName + " " + *f.FilterName }, size, in.NextToken)
	out.MetricFilters = append(out.MetricFilters, filters...)
	return out, err
}

func showMetricFilter(g *model.LogGroup, f *model.LogMetricFilter) types.MetricFilter {
	out := types.MetricFilter{
		ApplyOnTransformedLogs: f.Transformed, CreationTime: aws.Int64(f.CreatedAt), FilterName: aws.String(f.Name),
		FilterPattern: aws.String(f.Pattern), LogGroupName: aws.String(g.Name),
	}
	for _, m := range f.Metrics {
		out.MetricTransformations = append(out.MetricTransformations, types.MetricTransformation{
			MetricName: aws.String(m.Name), MetricNamespace: aws.String(m.Namespace), MetricValue: aws.String(m.Value),
			DefaultValue: m.Default, Dimensions: m.Dimensions, Unit: types.StandardUnit(m.Unit),
		})
	}
	return out
}
