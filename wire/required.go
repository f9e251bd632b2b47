package wire

import (
	"reflect"
	"strconv"
)

// firstBlank returns the path of the first required member that v lacks, in the SDK's field order, and whether it is a
// list. Numbers and booleans that the SDK keeps without a pointer cannot be seen to be absent; handlers check those.
func firstBlank(s *shape, v reflect.Value) (path string, list, found bool) {
	if !s.holdsChecked() {
		return "", false, false
	}
	switch s.kind {
	case kindPointer:
		if v.IsNil() {
			return "", false, false
		}
		return firstBlank(s.elem, v.Elem())
	case kindStruct:
		for i := range s.fields {
			f := &s.fields[i]
			fv := v.Field(f.index)
			if f.required && !present(f.shape, fv) {
				return f.name, f.shape.kind == kindList, true
			}
			if path, list, found := firstBlank(f.shape, fv); found {
				return joinPath(f.name, path), list, true
			}
		}
	case kindList:
		for i := range v.Len() {
			if path, list, found := firstBlank(s.elem, v.Index(i)); found {
				return joinPath("["+strconv.Itoa(i)+"]", path), list, true
			}
		}
	case kindMap:
		for _, key := range sortedKeys(v) {
			if path, list, found := firstBlank(s.elem, v.MapIndex(key)); found {
				return joinPath(key.String(), path), list, true
			}
		}
	case kindUnion:
		if v.IsNil() {
			return "", false, false
		}
		if m, value, err := s.memberOf(v); err == nil {
			if path, list, found := firstBlank(m.value, value); found {
				return joinPath(m.name, path), list, true
			}
		}
	}
	return "", false, false
}
