package secretsmanager

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/roadstead/roadstead/model"
)

// filtersOf refuses filters that there are none of. It returns the others as words, which a page's token is bound to.
func filtersOf(filters []types.Filter) (words []string, err error) {
	for _, f := range filters {
		if !slices.Contains(f.Key.Values(), f.Key) || len(f.Values) == 0 {
			return nil, badParameter("Invalid filter: %s.", f.Key) // [I]
		}
		words = append(append(words, string(f.Key)), f.Values...)
	}
	return words, nil
}

// filtered are the secrets that meet all filters, by name; those that are marked for deletion only if they are asked for.
func (a *api) filtered(s model.Scope, filters []types.Filter, marked bool) (rows []*model.Secret) {
	for row := range a.DB.Snapshot().Secrets.Prefix(s.Key("")) {
		if row.GoneAt != 0 && row.GoneAt <= a.now() || row.DeletedAt != 0 && !marked ||
			slices.ContainsFunc(filters, func(f types.Filter) bool { return !meets(row, f) }) {
			continue
		}
		rows = append(rows, row)
	}
	return rows
}

// meets: values are prefixes, without regard to case but for tags; one with a ! before it must not be met [D].
func meets(row *model.Secret, f types.Filter) bool {
	var have []string
	exact := f.Key == types.FilterNameStringTypeTagKey || f.Key == types.FilterNameStringTypeTagValue
	for _, t := range row.Tags {
		switch f.Key {
		case types.FilterNameStringTypeTagKey:
			have = append(have, t.Key)
		case types.FilterNameStringTypeTagValue:
			have = append(have, t.Value)
		case types.FilterNameStringTypeAll:
			have = append(have, t.Key, t.Value)
		}
	}
	switch f.Key {
	case types.FilterNameStringTypeName:
		have = append(have, row.Name)
	case types.FilterNameStringTypeDescription:
		have = append(have, row.Description)
	case types.FilterNameStringTypeAll:
		have = append(have, row.Name, row.Description)
	case types.FilterNameStringTypePrimaryRegion:
		have = append(have, row.Region)
	}
	return slices.ContainsFunc(f.Values, func(want string) bool {
		want, not := strings.CutPrefix(want, "!")
		return not != slices.ContainsFunc(have, func(h string) bool {
			return strings.HasPrefix(h, want) || !exact && strings.HasPrefix(strings.ToLower(h), strings.ToLower(want))
		})
	})
}
