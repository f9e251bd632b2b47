package ssm

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func (a *api) serveParameters(m *wire.Mux) {
	wire.Handle(m, "PutParameter", a.putParameter)
	wire.Handle(m, "DeleteParameter", a.deleteParameter)
	wire.Handle(m, "DeleteParameters", a.deleteParameters)
	wire.Handle(m, "GetParameter", a.getParameter)
	wire.Handle(m, "GetParameters", a.getParameters)
	wire.Handle(m, "GetParametersByPath", a.getParametersByPath)
	wire.Handle(m, "GetParameterHistory", a.getParameterHistory)
	wire.Handle(m, "DescribeParameters", a.describeParameters)
	wire.Handle(m, "LabelParameterVersion", a.labelParameterVersion)
	wire.Handle(m, "UnlabelParameterVersion", a.unlabelParameterVersion)
	wire.Handle(m, "AddTagsToResource", a.addTags)
	wire.Handle(m, "RemoveTagsFromResource", a.removeTags)
	wire.Handle(m, "ListTagsForResource", a.listTags)
}

// Limits of Parameter Store [D].
const (
	maxVersions = 100
	maxLevels   = 15
	standard    = 4096 // characters of a value of tier Standard
	advanced    = 8192
	defaultKey  = "alias/aws/ssm"
)

func invalid(format string, args ...any) error {
	return model.Errorf("ValidationException", format, args...)
}

// The messages of these are empty [O].
var errNotFound = model.Errorf("ParameterNotFound", "")

// change runs f on the head for the caller.
func (a *api) change(ctx context.Context, f func(tx *state.Tx, p auth.Principal) error) error {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return errNoPrincipal
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error { return f(tx, p) })
}

func (a *api) putParameter(ctx context.Context, in *sdk.PutParameterInput) (*sdk.PutParameterOutput, error) {
	next, err := readParameter(in)
	if err != nil {
		return nil, err
	}
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	overwrite := in.Overwrite != nil && *in.Overwrite
	if overwrite && len(tags) > 0 {
		return nil, invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. " +
			"To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.") // [O]
	}
	var out sdk.PutParameterOutput
	err = a.change(ctx, func(tx *state.Tx, p auth.Principal) error {
		v := *next
		v.Scope, v.By, v.At = p.Scope(), p.ARN, a.Now().UnixMilli()
		row := model.Parameter{Scope: v.Scope, Name: v.Name, Oldest: 1, Tags: tags}
		old, ok := tx.Parameters.Get(row.Key())
		if ok && a.gone(old) {
			drop(tx, old)
			ok = false
		}
		if ok {
			if !overwrite {
				return model.Errorf("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.") // [O]
			}
			if row = *old; v.Type == "" {
				v.Type = newest(tx.Tables, old).Type
			}
			if err := succeed(tx, &row, &v); err != nil {
				return err
			}
		} else if v.Type == "" {
			return invalid("A parameter type is required when you create a parameter.") // [O]
		}
		if row.GoneAt, err = expiration(v.Policies); err != nil {
			return err
		}
		row.Version++
		v.Version = row.Version
		if err := a.close(ctx, tx, &v); err != nil {
			return err
		}
		tx.Parameters.Put(&row)
		tx.ParameterVersions.Put(&v)
		out = sdk.PutParameterOutput{Version: v.Version, Tier: types.ParameterTier(v.Tier)}
		return nil
	})
	return &out, err
}

// succeed makes v the next version of a parameter: its type stays, and when there are too many the oldest goes.
func succeed(tx *state.Tx, row *model.Parameter, v *model.ParameterVersion) error {
	last := newest(tx.Tables, row)
	if v.Type != last.Type {
		return model.Errorf("HierarchyTypeMismatchException", "Parameter type cannot be changed from %s to %s: delete the parameter, or use another name.", last.Type, v.Type) // [I]
	}
	if v.Description == "" {
		v.Description = last.Description
	}
	if v.Policies == "" {
		v.Policies = last.Policies // who wants none says an empty list [D]
	}
	if v.Tier == string(types.ParameterTierStandard) && last.Tier == string(types.ParameterTierAdvanced) {
		v.Tier = last.Tier // an advanced parameter stays one [D]
	}
	if row.Version-row.Oldest+1 < maxVersions {
		return nil
	}
	oldest, _ := tx.ParameterVersions.Get(model.ParameterVersionKey(row.Scope, row.Name, row.Oldest))
	if len(oldest.Labels) > 0 {
		return model.Errorf("ParameterMaxVersionLimitExceeded", "You attempted to create a new version of %s by calling the PutParameter API with the overwrite flag. "+
			"Version %d, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.",
			row.Name, row.Oldest) // [O]
	}
	tx.ParameterVersions.Delete(oldest.Key())
	row.Oldest++
	return nil
}

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

// checkName refuses names that parameters cannot have (wordings [O], but for the last).
func checkName(name string) error {
	lower := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"), strings.HasSuffix(name, "/") && len(name) > 0:
		return invalid("Parameter name must be a fully qualified name.")
	case !namePattern.MatchString(name) || utf8.RuneCountInString(name) > 1011:
		return invalid("Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; " +
			"each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
	case strings.HasPrefix(lower, "aws"):
		return model.Errorf("AccessDeniedException", "No access to reserved parameter name: %s.", strings.TrimPrefix(name, "/"))
	case strings.HasPrefix(lower, "ssm"):
		return invalid("Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; " +
			"each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
	case strings.Count(name, "/") > maxLevels:
		return model.Errorf("HierarchyLevelLimitExceededException", "Parameter name must have a hierarchy of %d levels or fewer.", maxLevels)
	}
	return nil
}

// readParameter checks a request by itself. Type is empty if it says none.
func readParameter(in *sdk.PutParameterInput) (*model.ParameterVersion, error) {
	v := &model.ParameterVersion{
		Name: *in.Name, Value: *in.Value, Type: string(in.Type), Tier: string(in.Tier), DataType: deref(in.DataType), KeyID: deref(in.KeyId),
		Description: deref(in.Description), AllowedPattern: deref(in.AllowedPattern), Policies: deref(in.Policies),
	}
	if err := checkName(v.Name); err != nil {
		return nil, err
	}
	if v.Type != "" && !slices.Contains(in.Type.Values(), in.Type) {
		return nil, invalid("1 validation error detected: Value '%s' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [SecureString, StringList, String]", v.Type)
	}
	switch v.DataType {
	case "":
		v.DataType = "text"
	case "text":
	default:
		return nil, invalid("The following data type is not supported: %s (Data type names are all lowercase.)", v.DataType) // [O]
	}
	if err := readTier(v); err != nil {
		return nil, err
	}
	if err := checkPolicies(v); err != nil {
		return nil, err
	}
	if v.AllowedPattern != "" {
		re, err := regexp.Compile(`^(?:` + v.AllowedPattern + `)$`)
		switch {
		case err != nil:
			return nil, model.Errorf("InvalidAllowedPatternException", "The request does not meet the regular expression requirement: %s", v.AllowedPattern) // [I]
		case !re.MatchString(v.Value):
			return nil, model.Errorf("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", v.AllowedPattern) // [O]
		}
	}
	return v, nil
}

// readTier finds the tier of a value by its size (wordings [O]).
func readTier(v *model.ParameterVersion) error {
	size := utf8.RuneCountInString(v.Value)
	if v.Tier == string(types.ParameterTierIntelligentTiering) || v.Tier == "" {
		tiered := v.Tier != ""
		if v.Tier = string(types.ParameterTierStandard); tiered && (size > standard || hasPolicies(v.Policies)) {
			v.Tier = string(types.ParameterTierAdvanced)
		}
	}
	switch {
	case size == 0:
		return invalid("1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case v.Tier == string(types.ParameterTierStandard) && size > standard:
		return invalid("Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. "+
			"For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html", standard)
	case size > advanced:
		return invalid("Advanced tier parameters support a maximum parameter value of %d characters.", advanced)
	}
	return nil
}

func (a *api) deleteParameter(ctx context.Context, in *sdk.DeleteParameterInput) (*sdk.DeleteParameterOutput, error) {
	return &sdk.DeleteParameterOutput{}, a.change(ctx, func(tx *state.Tx, p auth.Principal) error {
		if !a.remove(tx, p.Scope(), *in.Name) {
			return errNotFound
		}
		return nil
	})
}

func (a *api) deleteParameters(ctx context.Context, in *sdk.DeleteParametersInput) (*sdk.DeleteParametersOutput, error) {
	if err := checkNames(in.Names); err != nil {
		return nil, err
	}
	out := &sdk.DeleteParametersOutput{}
	err := a.change(ctx, func(tx *state.Tx, p auth.Principal) error {
		*out = sdk.DeleteParametersOutput{DeletedParameters: []string{}, InvalidParameters: []string{}}
		for _, name := range in.Names {
			if a.remove(tx, p.Scope(), name) {
				out.DeletedParameters = append(out.DeletedParameters, name)
			} else {
				out.InvalidParameters = append(out.InvalidParameters, name)
			}
		}
		return nil
	})
	return out, err
}

// remove deletes a parameter with all its versions.
func (a *api) remove(tx *state.Tx, s model.Scope, ref string) bool {
	row, err := a.find(tx.Tables, s, ref)
	if err != nil {
		return false
	}
	drop(tx, row)
	return true
}

func drop(tx *state.Tx, row *model.Parameter) {
	for v := range versions(tx.Tables, row) {
		tx.ParameterVersions.Delete(v.Key())
	}
	tx.Parameters.Delete(row.Key())
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
