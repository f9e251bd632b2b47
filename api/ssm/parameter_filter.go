package ssm

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// filter is one condition that parameters have to meet; any of the values will do.
type filter struct {
	key, option string
	values      []string
}

// readFilters checks the filters of a request; keys are those that the operation has, and tag:KEY besides (errors [D], wordings [I]).
func readFilters(in []types.ParameterStringFilter, keys ...string) ([]filter, error) {
	var out []filter
	for _, f := range in {
		x := filter{deref(f.Key), deref(f.Option), f.Values}
		tag := strings.HasPrefix(x.key, "tag:") && slices.Contains(keys, "Name")
		if !slices.Contains(keys, x.key) && !tag {
			return nil, model.Errorf("InvalidFilterKey", "The following filter key is not valid: %s. Valid filter keys include: %v.", x.key, keys)
		}
		options := []string{"Equals", "BeginsWith"}
		switch {
		case x.key == "Name":
			options = append(options, "Contains")
		case x.key == "Path":
			options = []string{"OneLevel", "Recursive"}
		case tag:
			options = []string{"Equals"}
		}
		if x.option == "" {
			x.option = options[0]
		}
		if !slices.Contains(options, x.option) {
			return nil, model.Errorf("InvalidFilterOption", "The following filter option is not valid: %s. Valid options include: %v.", x.option, options)
		}
		if len(x.values) == 0 && !tag {
			return nil, model.Errorf("InvalidFilterValue", "The following filter values are missing for filter key %s.", x.key)
		}
		if slices.ContainsFunc(out, func(o filter) bool { return o.key == x.key }) {
			return nil, model.Errorf("InvalidFilterKey", "A filter can be used only once: %s.", x.key)
		}
		out = append(out, x)
	}
	return out, nil
}

// found is a parameter that meets the filters, with the version that is meant.
type found struct {
	version *model.ParameterVersion
	label   string // ":LABEL" if that chose it
}

// search returns a page of the parameters that meet all filters, by name.
func (a *api) search(t *state.Tables, s model.Scope, op string, filters []filter, size, most int32, token *string) ([]found, *string, error) {
	var all []found
	asked := []string{s.Account, s.Region}
	for _, f := range filters {
		asked = append(asked, f.key, f.option)
		asked = append(asked, f.values...)
	}
	for row := range t.Parameters.Prefix(s.Key("")) {
		if a.gone(row) {
			continue
		}
		if f, ok := meets(t, row, filters); ok {
			all = append(all, f)
		}
	}
	return pageOf(op, asked, all, func(f found) string { return f.version.Name }, size, most, token)
}

func meets(t *state.Tables, row *model.Parameter, filters []filter) (found, bool) {
	f := found{version: newest(t, row)}
	for i := range filters {
		if filters[i].key != "Label" {
			continue
		}
		f.version = nil
		for v := range versions(t, row) {
			for _, label := range filters[i].values {
				if slices.Contains(v.Labels, label) {
					f = found{v, ":" + label}
				}
			}
		}
		if f.version == nil {
			return f, false
		}
	}
	return f, !slices.ContainsFunc(filters, func(x filter) bool { return !x.holds(row, f.version) })
}

func (f *filter) holds(row *model.Parameter, v *model.ParameterVersion) bool {
	if key, ok := strings.CutPrefix(f.key, "tag:"); ok {
		return slices.ContainsFunc(row.Tags, func(t model.Tag) bool {
			return t.Key == key && (len(f.values) == 0 || slices.Contains(f.values, t.Value))
		})
	}
	if f.key == "Path" {
		return slices.ContainsFunc(f.values, func(path string) bool {
			rest, ok := strings.CutPrefix(row.Name, strings.TrimSuffix(path, "/")+"/")
			return ok && (f.option == "Recursive" || !strings.Contains(rest, "/"))
		})
	}
	have, known := map[string]string{"Name": row.Name, "Type": v.Type, "KeyId": v.KeyID, "Tier": v.Tier, "DataType": v.DataType}[f.key]
	return !known || slices.ContainsFunc(f.values, func(want string) bool {
		switch f.option {
		case "BeginsWith":
			return strings.HasPrefix(have, want) || f.key == "Name" && strings.HasPrefix(have, "/"+want)
		case "Contains":
			return strings.Contains(have, want)
		}
		return have == want
	})
}

// pageOf returns the page of a listing, sorted by key, that begins behind the token's key, and the token of the next.
func pageOf[T any](op string, filters any, items []T, key func(T) string, size, most int32, token *string) ([]T, *string, error) {
	switch {
	case size < 0 || size > most:
		return nil, nil, invalid("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to %d", size, most)
	case size == 0:
		size = most
	}
	if token != nil {
		last, err := wire.ParsePageToken(op, filters, *token)
		if err != nil {
			return nil, nil, model.Errorf("InvalidNextToken", "The specified token is not valid.") // [I]
		}
		from := 0
		for from < len(items) && key(items[from]) <= last {
			from++
		}
		items = items[from:]
	}
	if len(items) <= int(size) {
		return items, nil, nil
	}
	items = items[:size]
	return items, aws.String(wire.PageToken(op, filters, key(items[size-1]))), nil
}

// encoded is what a SecureString shows of itself to those who do not ask for decryption.
func encoded(sealed []byte) *string { return aws.String(base64.StdEncoding.EncodeToString(sealed)) }
