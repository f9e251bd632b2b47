package expiry

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
)

func failure(format string, args ...any) error {
	return model.Errorf("InvalidParameterException", "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: "+
		"'Lifecycle policy validation failure: %s'", fmt.Sprintf(format, args...))
}

func errNoPolicy() error { return failure("Could not map policyString into LifecyclePolicy.") }

// noMatch is all that the schema says when none of its alternatives fits [O].
func noMatch(of int) error {
	return failure("instance failed to match exactly one schema (matched 0 out of %d)", of)
}

// checkShape checks the document against the schema: which members there are, of which types.
func checkShape(text string) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var root any
	if err := d.Decode(&root); err != nil {
		return errNoPolicy()
	}
	doc, ok := root.(map[string]any)
	if _, err := d.Token(); !ok || err != io.EOF {
		return errNoPolicy()
	}
	if err := members(doc, []string{"rules"}); err != nil {
		return err
	}
	rules, ok := doc["rules"].([]any)
	switch {
	case !ok:
		return wrongType(doc["rules"], "array")
	case len(rules) == 0:
		return failure("array is too short: must have at least 1 elements but instance has 0 elements")
	case len(rules) > maxRules:
		return failure("array is too long: must have at most %d elements but instance has %d elements", maxRules, len(rules))
	}
	for _, r := range rules {
		if err := ruleShape(r); err != nil {
			return err
		}
	}
	return nil
}

func ruleShape(v any) error {
	rule, ok := v.(map[string]any)
	if !ok {
		return wrongType(v, "object")
	}
	if err := members(rule, []string{"action", "rulePriority", "selection"}, "description"); err != nil {
		return err
	}
	if _, ok := whole(rule["rulePriority"]); !ok {
		return wrongType(rule["rulePriority"], "integer")
	}
	if n, _ := whole(rule["rulePriority"]); n < 1 {
		return failure("numeric instance is lower than the required minimum (minimum: 1, found: %d)", n)
	}
	if d, given := rule["description"]; given {
		if _, ok := d.(string); !ok {
			return wrongType(d, "string")
		}
	}
	action, _ := rule["action"].(map[string]any)
	expires := len(action) == 1 && action["type"] == expire
	archives := len(action) == 2 && action["type"] == transition && action["targetStorageClass"] == archive
	if !expires && !archives {
		return noMatch(2)
	}
	if s, ok := rule["selection"].(map[string]any); ok && archives && s["storageClass"] == archive {
		return failure("Images of the storage class archive cannot transition to it.") // [I]
	}
	return selectionShape(rule["selection"])
}

// selectionShape: the schema has alternatives for each count type, so whatever is wrong, none of them fits.
func selectionShape(v any) error {
	s, ok := v.(map[string]any)
	if !ok {
		return noMatch(4)
	}
	lists := []string{"tagPatternList", "tagPrefixList"}
	required, least := []string{"countNumber", "countType", "tagStatus"}, 1
	class, hasClass := s["storageClass"]
	ok = !hasClass || class == standard
	switch s["countType"] {
	case moreThan:
	case sincePushed, sincePulled:
		required = append(required, "countUnit")
		ok = ok && s["countUnit"] == "days"
	case sinceTransitioned:
		required, least = append(required, "countUnit", "storageClass"), minArchived
		ok = s["countUnit"] == "days" && class == archive
	default:
		ok = false
	}
	n, isNumber := whole(s["countNumber"])
	status, _ := s["tagStatus"].(string)
	if !ok || members(s, required, append(lists, "storageClass")...) != nil || !isNumber || !slices.Contains([]string{tagged, untagged, anyTag}, status) {
		return noMatch(4)
	}
	if n < least {
		return failure("numeric instance is lower than the required minimum (minimum: %d, found: %d)", least, n)
	}
	for _, list := range lists {
		if tags, given := s[list]; given {
			if err := tagsShape(list, tags); err != nil {
				return err
			}
		}
	}
	return nil
}

func tagsShape(list string, v any) error {
	tags, ok := v.([]any)
	if !ok {
		return noMatch(4)
	}
	if len(tags) == 0 {
		return failure("array is too short: must have at least 1 elements but instance has 0 elements")
	}
	for _, t := range tags {
		tag, ok := t.(string)
		if !ok || tag == "" {
			return noMatch(4)
		}
		if list == "tagPatternList" && (strings.Count(tag, "*") > maxStars || strings.ContainsAny(tag, `?[\/`)) {
			return failure("The tag pattern '%s' is not valid: it may have letters, digits, '-', '_', '.' and at most %d wildcards.", tag, maxStars) // [I] the words
		}
	}
	return nil
}

// members refuses an object that lacks what it has to have, or has what it must not.
func members(doc map[string]any, required []string, optional ...string) error {
	var missing, unknown []string
	for _, name := range required {
		if _, ok := doc[name]; !ok {
			missing = append(missing, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		if !slices.Contains(required, name) && !slices.Contains(optional, name) {
			unknown = append(unknown, name)
		}
	}
	switch {
	case missing != nil:
		return failure("object has missing required properties (%s)", quoted(missing))
	case unknown != nil:
		return failure("object instance has properties which are not allowed by the schema: (%s)", quoted(unknown))
	}
	return nil
}

func quoted(names []string) string { return `["` + strings.Join(names, `","`) + `"]` }

func wrongType(v any, want string) error {
	return failure("instance type (%s) does not match any allowed primitive type (allowed: [\"%s\"])", typeOf(v), want)
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case json.Number:
		if _, ok := whole(v); ok {
			return "integer"
		}
		return "number"
	}
	return "object"
}

// whole is an integer of JSON that fits.
func whole(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil && i == int64(int32(i))
}
