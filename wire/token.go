package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"reflect"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// markSize is how many bytes of a token are its fingerprint.
const markSize = 12

// PageToken returns the opaque token that continues a listing after the key last. It is bound to the operation and the
// filters: anything the codec can encode, usually the operation's input itself, whose paging members (nextToken,
// maxResults and their kin) do not count, so a caller may change the page size midway. The cluster, account and Region
// belong in the filters if they are not in the input. Tokens are not secret and not signed: a caller could make one, and
// would only skip some of its own rows.
func PageToken(op string, filters any, last string) string {
	mark := pageMark(op, filters, last)
	return base64.RawURLEncoding.EncodeToString(append(mark, last...))
}

// ParsePageToken returns the key that a token continues after. A token that is damaged or was made by another operation or
// for other filters is an InvalidParameterException "Invalid token." [I].
func ParsePageToken(op string, filters any, token string) (last string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil && len(raw) >= markSize {
		last = string(raw[markSize:])
		if string(raw[:markSize]) == string(pageMark(op, filters, last)) {
			return last, nil
		}
	}
	return "", model.Errorf("InvalidParameterException", "Invalid token.")
}

// pageMark is the fingerprint of a listing and the place in it.
func pageMark(op string, filters any, last string) []byte {
	w := jsonWriter{digits: 9}
	w.b = append(appendJSONString(append(w.b, '['), op), ',')
	w.b = append(appendJSONString(w.b, last), ',')
	v := reflect.ValueOf(filters)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.IsValid() {
		s, err := shapeOf(v.Type())
		if err == nil && s.kind == kindStruct {
			s = withoutPaging(s)
		}
		if err == nil {
			err = w.value(s, v)
		}
		if err != nil { // filters that cannot travel are a mistake of the handler's code
			panic("wire: page token of " + op + ": " + err.Error())
		}
	}
	sum := sha256.Sum256(append(w.b, ']'))
	return sum[:markSize]
}

// withoutPaging returns the shape of an input without the members that say where and how long a page is.
func withoutPaging(s *shape) *shape {
	bare := &shape{kind: kindStruct, typ: s.typ}
	for _, f := range s.fields {
		switch strings.ToLower(f.name) {
		case "nexttoken", "maxresults", "marker", "maxitems", "maxrecords", "pagesize":
		default:
			bare.fields = append(bare.fields, f)
		}
	}
	return bare
}
