package logquery

import (
	"encoding/json"
	"strconv"
)

// maxFields is how many fields are discovered in one message [D].
const maxFields = 200

// Fields are the fields of a message that is JSON, with their texts: "a.b", and "a.0" for the first of an array [D]. Of other
// messages there are none.
func Fields(message string) map[string]string {
	doc, ok := parseDocument(message)
	found := map[string]string{}
	if ok {
		flatten(found, "", doc.root)
	}
	return found
}

func flatten(found map[string]string, name string, v any) {
	within := func(step string) string {
		if name == "" {
			return step
		}
		return name + "." + step
	}
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			flatten(found, within(k), inner)
		}
	case []any:
		for i, inner := range v {
			flatten(found, within(strconv.Itoa(i)), inner)
		}
	case string, bool, json.Number:
		if len(found) < maxFields {
			found[name] = valOf(v).text
		}
	}
}
