package ssm

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// maxLabels is how many labels a version may have [D].
const maxLabels = 10

var labelPattern = regexp.MustCompile(`^[a-zA-Z_.\-][a-zA-Z0-9_.\-]{0,99}$`)

func validLabel(label string) bool {
	lower := strings.ToLower(label)
	return labelPattern.MatchString(label) && !strings.HasPrefix(lower, "aws") && !strings.HasPrefix(lower, "ssm")
}

// relabel changes labels of a version, 0 for the newest, and says which one it was.
func (a *api) relabel(ctx context.Context, ref string, version int64, f func(tx *state.Tx, row *model.Parameter, v *model.ParameterVersion) error) (n int64, err error) {
	err = a.change(ctx, func(tx *state.Tx, p auth.Principal) error {
		row, err := a.find(tx.Tables, p.Scope(), ref)
		if err != nil {
			return err
		}
		if n = version; n == 0 {
			n = row.Version
		}
		old, ok := tx.ParameterVersions.Get(model.ParameterVersionKey(row.Scope, row.Name, n))
		if !ok {
			return model.Errorf("ParameterVersionNotFound", "Systems Manager could not find version %d of %s. Verify the version and try again.", n, row.Name) // [O]
		}
		v := *old
		if err := f(tx, row, &v); err != nil {
			return err
		}
		tx.ParameterVersions.Put(&v)
		return nil
	})
	return n, err
}

// labelParameterVersion: a label is one version's at a time; those that cannot be are told [D].
func (a *api) labelParameterVersion(ctx context.Context, in *sdk.LabelParameterVersionInput) (*sdk.LabelParameterVersionOutput, error) {
	bad := []string{}
	n, err := a.relabel(ctx, *in.Name, deref(in.ParameterVersion), func(tx *state.Tx, row *model.Parameter, v *model.ParameterVersion) error {
		bad = bad[:0]
		labels := slices.Clone(v.Labels)
		var news []string
		for _, l := range in.Labels {
			switch {
			case !validLabel(l):
				bad = append(bad, l)
			case !slices.Contains(labels, l):
				labels, news = append(labels, l), append(news, l)
			}
		}
		if len(labels) > maxLabels {
			return model.Errorf("ParameterVersionLabelLimitExceeded", "A parameter version can have maximum %d labels. Move one or more labels to another version and try again.", maxLabels) // [O]
		}
		v.Labels = labels
		for other := range versions(tx.Tables, row) {
			if moved := without(other.Labels, news); other.Version != v.Version && len(moved) < len(other.Labels) {
				o := *other
				o.Labels = moved
				tx.ParameterVersions.Put(&o)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.LabelParameterVersionOutput{InvalidLabels: bad, ParameterVersion: n}, nil
}

func (a *api) unlabelParameterVersion(ctx context.Context, in *sdk.UnlabelParameterVersionInput) (*sdk.UnlabelParameterVersionOutput, error) {
	out := &sdk.UnlabelParameterVersionOutput{}
	_, err := a.relabel(ctx, *in.Name, deref(in.ParameterVersion), func(_ *state.Tx, _ *model.Parameter, v *model.ParameterVersion) error {
		*out = sdk.UnlabelParameterVersionOutput{RemovedLabels: []string{}, InvalidLabels: []string{}}
		for _, l := range in.Labels {
			if slices.Contains(v.Labels, l) {
				out.RemovedLabels = append(out.RemovedLabels, l)
			} else {
				out.InvalidLabels = append(out.InvalidLabels, l)
			}
		}
		v.Labels = without(v.Labels, in.Labels)
		return nil
	})
	return out, err
}

// without is a copy of the list without those.
func without(list, those []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(those, s) })
}

// maxTags is how many tags a parameter may have [D].
const maxTags = 50

func readTags(in []types.Tag) (tags []model.Tag, err error) {
	for _, t := range in {
		tag := model.Tag{Key: deref(t.Key), Value: deref(t.Value)}
		if strings.HasPrefix(strings.ToLower(tag.Key), "aws:") {
			return nil, invalid("aws: prefixed tag key names are not allowed for external use.") // [I]
		}
		tags = append(tags, tag)
	}
	if len(tags) > maxTags {
		return nil, model.Errorf("TooManyTagsError", "The Targets parameter includes too many tags. Remove one or more tags and try the command again.") // [D]
	}
	return tags, nil
}

// retag changes the tags of what a request names: only parameters have any here.
func (a *api) retag(ctx context.Context, kind types.ResourceTypeForTagging, id string, f func([]model.Tag) []model.Tag) error {
	if kind != types.ResourceTypeForTaggingParameter {
		return model.Errorf("UnsupportedFeatureException", "Roadstead has tags of parameters only, not of %s.", kind)
	}
	return a.change(ctx, func(tx *state.Tx, p auth.Principal) error {
		old, err := a.find(tx.Tables, p.Scope(), id)
		if err != nil {
			return errNoResource(id)
		}
		row := *old
		if row.Tags = f(slices.Clone(row.Tags)); len(row.Tags) > maxTags {
			return model.Errorf("TooManyTagsError", "The Targets parameter includes too many tags. Remove one or more tags and try the command again.") // [D]
		}
		tx.Parameters.Put(&row)
		return nil
	})
}

func errNoResource(id string) error {
	return model.Errorf("InvalidResourceId", "The resource ID isn't valid. Verify that you entered the correct ID and try again: %s", id) // [D]; the end [I]
}

func (a *api) addTags(ctx context.Context, in *sdk.AddTagsToResourceInput) (*sdk.AddTagsToResourceOutput, error) {
	news, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return &sdk.AddTagsToResourceOutput{}, a.retag(ctx, in.ResourceType, *in.ResourceId, func(have []model.Tag) []model.Tag {
		return model.MergeTags(have, news)
	})
}

func (a *api) removeTags(ctx context.Context, in *sdk.RemoveTagsFromResourceInput) (*sdk.RemoveTagsFromResourceOutput, error) {
	return &sdk.RemoveTagsFromResourceOutput{}, a.retag(ctx, in.ResourceType, *in.ResourceId, func(have []model.Tag) []model.Tag {
		return slices.DeleteFunc(have, func(t model.Tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	})
}

func (a *api) listTags(ctx context.Context, in *sdk.ListTagsForResourceInput) (*sdk.ListTagsForResourceOutput, error) {
	t, s, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	if in.ResourceType != types.ResourceTypeForTaggingParameter {
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead has tags of parameters only, not of %s.", in.ResourceType)
	}
	row, err := a.find(t, s, *in.ResourceId)
	if err != nil {
		return nil, errNoResource(*in.ResourceId)
	}
	out := &sdk.ListTagsForResourceOutput{TagList: []types.Tag{}}
	for _, tag := range row.Tags {
		out.TagList = append(out.TagList, types.Tag{Key: aws.String(tag.Key), Value: aws.String(tag.Value)})
	}
	return out, nil
}
