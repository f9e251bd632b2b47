package ssm

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// look returns the tables as they are, and whose parameters the caller means.
func (a *api) look(ctx context.Context) (*state.Tables, model.Scope, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return nil, model.Scope{}, errNoPrincipal
	}
	return a.DB.Snapshot().Tables, p.Scope(), nil
}

// find returns the parameter with the name or ARN. Another account shares none with us.
func (a *api) find(t *state.Tables, s model.Scope, ref string) (*model.Parameter, error) {
	if row := t.ParameterByID(s, ref); row != nil && row.Scope == s && !a.gone(row) {
		return row, nil
	}
	return nil, errNotFound
}

// gone says whether the parameter's policy has deleted it: rows go a little later.
func (a *api) gone(row *model.Parameter) bool {
	return row.GoneAt != 0 && row.GoneAt <= a.Now().UnixMilli()
}

// versions yields those of a parameter that are kept, the oldest first.
func versions(t *state.Tables, row *model.Parameter) iter.Seq[*model.ParameterVersion] {
	return func(yield func(*model.ParameterVersion) bool) {
		for n := row.Oldest; n <= row.Version; n++ {
			if v, ok := t.ParameterVersions.Get(model.ParameterVersionKey(row.Scope, row.Name, n)); ok && !yield(v) {
				return
			}
		}
	}
}

func newest(t *state.Tables, row *model.Parameter) *model.ParameterVersion {
	v, _ := t.ParameterVersions.Get(model.ParameterVersionKey(row.Scope, row.Name, row.Version))
	return v
}

// selector splits "name:3" and "name:label"; an ARN has five colons of its own.
func selector(ref string) (name, which string) {
	from := 0
	if strings.HasPrefix(ref, "arn:") {
		for range 5 {
			from += strings.IndexByte(ref[from:], ':') + 1
		}
	}
	if i := strings.IndexByte(ref[from:], ':'); i >= 0 {
		return ref[:from+i], ref[from+i:]
	}
	return ref, ""
}

// choose finds the version that a reference means: NAME, NAME:VERSION or NAME:LABEL.
func (a *api) choose(t *state.Tables, s model.Scope, ref string) (v *model.ParameterVersion, which string, err error) {
	name, which := selector(ref)
	row, err := a.find(t, s, name)
	if err != nil || which == "" {
		if err == nil {
			v = newest(t, row)
		}
		return v, which, err
	}
	n, numeric := strconv.ParseInt(which[1:], 10, 64)
	for v := range versions(t, row) {
		if numeric == nil && v.Version == n || numeric != nil && slices.Contains(v.Labels, which[1:]) {
			return v, which, nil
		}
	}
	if numeric == nil {
		return nil, which, model.Errorf("ParameterVersionNotFound", "Systems Manager could not find version %d of %s. Verify the version and try again.", n, row.Name) // [O]
	}
	return nil, which, model.Errorf("ParameterVersionNotFound", "Systems Manager could not find label %s of %s. Verify the label and try again.", which[1:], row.Name) // [O]
}

// value is a version's value as the caller gets it: that of a SecureString without decryption is what is stored, which says nothing.
func (a *api) value(ctx context.Context, t *state.Tables, v *model.ParameterVersion, decrypt *bool) (string, error) {
	if v.Sealed == nil {
		return v.Value, nil
	}
	if !deref(decrypt) {
		return aws.ToString(encoded(slices.Concat(v.DataKey, v.Sealed))), nil
	}
	return a.open(ctx, t, v)
}

// view is a version in the shape of answers.
func (a *api) view(ctx context.Context, t *state.Tables, v *model.ParameterVersion, which string, decrypt *bool) (*types.Parameter, error) {
	text, err := a.value(ctx, t, v, decrypt)
	if err != nil {
		return nil, err
	}
	out := &types.Parameter{
		ARN: aws.String(model.ParameterARN(v.Scope, v.Name)), Name: aws.String(v.Name), Type: types.ParameterType(v.Type), Value: &text,
		Version: v.Version, DataType: aws.String(v.DataType), LastModifiedDate: at(v.At),
	}
	if which != "" {
		out.Selector = &which
	}
	return out, nil
}

func at(m model.Millis) *time.Time { return aws.Time(time.UnixMilli(m).UTC()) }

func (a *api) getParameter(ctx context.Context, in *sdk.GetParameterInput) (*sdk.GetParameterOutput, error) {
	t, s, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	v, which, err := a.choose(t, s, *in.Name)
	if err != nil {
		return nil, err
	}
	p, err := a.view(ctx, t, v, which, in.WithDecryption)
	return &sdk.GetParameterOutput{Parameter: p}, err
}

func (a *api) getParameters(ctx context.Context, in *sdk.GetParametersInput) (*sdk.GetParametersOutput, error) {
	t, s, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkNames(in.Names); err != nil {
		return nil, err
	}
	out := &sdk.GetParametersOutput{Parameters: []types.Parameter{}, InvalidParameters: []string{}}
	for _, ref := range in.Names {
		v, which, err := a.choose(t, s, ref)
		if err != nil {
			out.InvalidParameters = append(out.InvalidParameters, ref)
			continue
		}
		p, err := a.view(ctx, t, v, which, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, *p)
	}
	return out, nil
}

// checkNames: one to ten, none twice [O].
func checkNames(names []string) error {
	if n := len(names); n < 1 || n > 10 {
		bound := "greater than or equal to 1"
		if n > 10 {
			bound = "less than or equal to 10"
		}
		return invalid("1 validation error detected: Value '[%s]' at 'names' failed to satisfy constraint: Member must have length %s", strings.Join(names, ", "), bound)
	}
	if sorted := slices.Sorted(slices.Values(names)); len(slices.Compact(sorted)) < len(names) {
		return invalid("Duplicate parameters in the request: %s", strings.Join(names, ",")) // [I]
	}
	return nil
}

func (a *api) getParametersByPath(ctx context.Context, in *sdk.GetParametersByPathInput) (*sdk.GetParametersByPathOutput, error) {
	t, s, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	path := *in.Path
	if !strings.HasPrefix(path, "/") {
		return nil, invalid("The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". " +
			"It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). " +
			"Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.") // [O]
	}
	filters, err := readFilters(in.ParameterFilters, "Type", "KeyId", "Label")
	if err != nil {
		return nil, err
	}
	filters = append(filters, filter{key: "Path", option: map[bool]string{true: "Recursive", false: "OneLevel"}[deref(in.Recursive)], values: []string{path}})
	found, next, err := a.search(t, s, "GetParametersByPath", filters, deref(in.MaxResults), 10, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &sdk.GetParametersByPathOutput{Parameters: []types.Parameter{}, NextToken: next}
	for _, f := range found {
		p, err := a.view(ctx, t, f.version, f.label, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, *p)
	}
	return out, nil
}

func (a *api) getParameterHistory(ctx context.Context, in *sdk.GetParameterHistoryInput) (*sdk.GetParameterHistoryOutput, error) {
	t, s, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	row, err := a.find(t, s, *in.Name)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf("GetParameterHistory", []string{row.Key()}, slices.Collect(versions(t, row)), (*model.ParameterVersion).Key, deref(in.MaxResults), 50, in.NextToken)
	out := &sdk.GetParameterHistoryOutput{Parameters: []types.ParameterHistory{}, NextToken: next}
	if err != nil {
		return nil, err
	}
	for _, v := range page {
		text, err := a.value(ctx, t, v, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, types.ParameterHistory{
			Name: aws.String(v.Name), Type: types.ParameterType(v.Type), Value: &text, Version: v.Version, Tier: types.ParameterTier(v.Tier),
			DataType: aws.String(v.DataType), KeyId: optional(v.KeyID), Description: optional(v.Description), AllowedPattern: optional(v.AllowedPattern),
			Labels: append([]string{}, v.Labels...), LastModifiedDate: at(v.At), LastModifiedUser: aws.String(v.By), Policies: policyViews(v.Policies),
		})
	}
	return out, nil
}

func (a *api) describeParameters(ctx context.Context, in *sdk.DescribeParametersInput) (*sdk.DescribeParametersOutput, error) {
	t, s, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	if len(in.Filters) > 0 && len(in.ParameterFilters) > 0 {
		return nil, invalid("You can use either Filters or ParameterFilters in a single request.") // [O]
	}
	var old []types.ParameterStringFilter // Filters is how it was written before [D]
	for _, f := range in.Filters {
		option := "Equals"
		if f.Key == types.ParametersFilterKeyName {
			option = "BeginsWith"
		}
		old = append(old, types.ParameterStringFilter{Key: aws.String(string(f.Key)), Option: &option, Values: f.Values})
	}
	filters, err := readFilters(append(old, in.ParameterFilters...), "Name", "Type", "KeyId", "Path", "Tier", "DataType")
	if err != nil {
		return nil, err
	}
	found, next, err := a.search(t, s, "DescribeParameters", filters, deref(in.MaxResults), 50, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &sdk.DescribeParametersOutput{Parameters: []types.ParameterMetadata{}, NextToken: next}
	for _, f := range found {
		v := f.version
		out.Parameters = append(out.Parameters, types.ParameterMetadata{
			Name: aws.String(v.Name), ARN: aws.String(model.ParameterARN(v.Scope, v.Name)), Type: types.ParameterType(v.Type), Version: v.Version,
			Tier: types.ParameterTier(v.Tier), DataType: aws.String(v.DataType), KeyId: optional(v.KeyID), Description: optional(v.Description),
			AllowedPattern: optional(v.AllowedPattern), LastModifiedDate: at(v.At), LastModifiedUser: aws.String(v.By), Policies: policyViews(v.Policies),
		})
	}
	return out, nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
