package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/aws/smithy-go/document"
)

// plain reads any value as open content. Numbers keep their text.
func (r *jsonReader) plain() (any, error) {
	switch c := r.space(); c {
	case '"':
		return r.text()
	case 't':
		return true, r.word("true")
	case 'f':
		return false, r.word("false")
	case 'n':
		return nil, r.word("null")
	case '[':
		list := []any{}
		if err := r.enter(); err != nil {
			return nil, err
		}
		for {
			if more, err := r.more(len(list) == 0, ']'); err != nil || !more {
				r.leave()
				return list, err
			}
			if err := r.count(); err != nil {
				return nil, err
			}
			item, err := r.plain()
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
	case '{':
		m := map[string]any{}
		if err := r.enter(); err != nil {
			return nil, err
		}
		for first := true; ; first = false {
			if more, err := r.more(first, '}'); err != nil || !more {
				r.leave()
				return m, err
			}
			if err := r.count(); err != nil {
				return nil, err
			}
			raw, err := r.member()
			if err != nil {
				return nil, err
			}
			key := string(raw)
			if m[key], err = r.plain(); err != nil {
				return nil, err
			}
		}
	default:
		if c != '-' && (c < '0' || c > '9') {
			return nil, r.unexpected()
		}
		text, err := r.number()
		return document.Number(text), err
	}
}

// document writes open content: the plain value inside an SDK document if we can see it, because the SDK's marshaler
// writes zero values as null, else what the SDK makes of it.
func (w *jsonWriter) document(v reflect.Value) error {
	if v.IsNil() {
		w.b = append(w.b, "null"...)
		return nil
	}
	if holder, ok := reflect.TypeAssert[interface{ Value() any }](v); ok && isPlain(holder.Value()) {
		w.plain(holder.Value())
		return nil
	}
	m, ok := reflect.TypeAssert[document.Marshaler](v)
	if !ok {
		return fmt.Errorf("encode document: %s is no document", v.Elem().Type())
	}
	raw, err := m.MarshalSmithyDocument()
	if err != nil {
		return fmt.Errorf("encode document: %w", err)
	}
	var content any
	r := &jsonReader{data: raw}
	if content, err = r.plain(); err != nil {
		return fmt.Errorf("encode document: %w", err)
	}
	w.plain(content) // again, for sorted keys
	return nil
}

// isPlain reports whether a value is made of what plain can write.
func isPlain(v any) bool {
	switch x := v.(type) {
	case nil, string, bool, float64, int, int64, json.Number, document.Number:
		return true
	case []any:
		for _, item := range x {
			if !isPlain(item) {
				return false
			}
		}
		return true
	case map[string]any:
		for _, item := range x {
			if !isPlain(item) {
				return false
			}
		}
		return true
	}
	return false
}

func (w *jsonWriter) plain(v any) {
	switch x := v.(type) {
	case nil:
		w.b = append(w.b, "null"...)
	case string:
		w.b = appendJSONString(w.b, x)
	case bool:
		w.b = strconv.AppendBool(w.b, x)
	case float64:
		w.b = appendJSONFloat(w.b, x, 64)
	case int:
		w.b = strconv.AppendInt(w.b, int64(x), 10)
	case int64:
		w.b = strconv.AppendInt(w.b, x, 10)
	case json.Number:
		w.b = append(w.b, x...)
	case document.Number:
		w.b = append(w.b, x...)
	case []any:
		w.b = append(w.b, '[')
		for i, item := range x {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.plain(item)
		}
		w.b = append(w.b, ']')
	case map[string]any:
		w.b = append(w.b, '{')
		for i, key := range sortedKeys(reflect.ValueOf(x)) {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.b = append(appendJSONString(w.b, key.String()), ':')
			w.plain(x[key.String()])
		}
		w.b = append(w.b, '}')
	}
}
