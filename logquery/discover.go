package logquery

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// maxFields is how many fields are discovered in one message [D].
const maxFields = 200

// maxBraces is how many braces of a message are tried that may begin JSON.
const maxBraces = 8

// fragment is the first JSON that a message is or has in it [D].
func fragment(message string) (document, bool) {
	rest := message
	for range maxBraces {
		_, after, found := strings.Cut(rest, "{")
		if !found {
			break
		}
		if doc, ok := parseDocument(rest[len(rest)-len(after)-1:]); ok {
			return doc, true
		}
		rest = after
	}
	return document{}, false
}

// Fields are the fields of the JSON in a message, with their texts: "a.b", and "a.0" for the first of an array [D]. Of other messages
// there are none.
func Fields(message string) map[string]string {
	doc, ok := fragment(message)
	found := map[string]string{}
	if ok {
		flatten(found, "", doc.root)
	}
	return found
}

func flatten(found map[string]string, name string, v any) {
	below := func(step string) string {
		if name == "" {
			return step
		}
		return name + "." + step
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) { // which of too many are found is no chance
			flatten(found, below(k), v[k])
		}
	case []any:
		for i, inner := range v {
			flatten(found, below(strconv.Itoa(i)), inner)
		}
	case string, bool, json.Number:
		if len(found) < maxFields {
			found[name] = valOf(v).text
		}
	}
}
