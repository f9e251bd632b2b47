package wire

import (
	"math/big"
	"reflect"
	"strings"
	"time"

	smithy "github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
)

// sdkService returns the SDK module a Go package belongs to, e.g. "ecs" for service/ecs and service/ecs/types, or "".
func sdkService(pkgPath string) string {
	rest, ok := strings.CutPrefix(pkgPath, "github.com/aws/aws-sdk-go-v2/service/")
	if !ok {
		return ""
	}
	service, _, _ := strings.Cut(rest, "/")
	return service
}

// schemaOf returns the schema of an SDK struct, or nil where the type's module has none yet.
func schemaOf(t reflect.Type) *smithy.Schema {
	v, ok := reflect.TypeAssert[smithy.Serializable](reflect.New(t))
	if !ok {
		return nil
	}
	c := &schemaCatcher{}
	v.Serialize(c)
	return c.schema
}

// A schemaCatcher is a serializer that keeps the first schema it is handed: SDK types tell their schema in no other way.
// The embedded nil interface answers for everything that the serialization of a zero struct does not call.
type schemaCatcher struct {
	smithy.ShapeSerializer
	schema *smithy.Schema
}

func (c *schemaCatcher) WriteStruct(s *smithy.Schema) {
	if c.schema == nil {
		c.schema = s
	}
}
func (c *schemaCatcher) CloseStruct()                             {}
func (c *schemaCatcher) WriteInt8(*smithy.Schema, int8)           {}
func (c *schemaCatcher) WriteInt16(*smithy.Schema, int16)         {}
func (c *schemaCatcher) WriteInt32(*smithy.Schema, int32)         {}
func (c *schemaCatcher) WriteInt64(*smithy.Schema, int64)         {}
func (c *schemaCatcher) WriteFloat32(*smithy.Schema, float32)     {}
func (c *schemaCatcher) WriteFloat64(*smithy.Schema, float64)     {}
func (c *schemaCatcher) WriteBool(*smithy.Schema, bool)           {}
func (c *schemaCatcher) WriteString(*smithy.Schema, string)       {}
func (c *schemaCatcher) WriteBigInt(*smithy.Schema, *big.Int)     {}
func (c *schemaCatcher) WriteBigFloat(*smithy.Schema, *big.Float) {}
func (c *schemaCatcher) WriteTime(*smithy.Schema, time.Time)      {}

// membersByField returns a schema's members by the name of the Go field (or union suffix) that holds them.
func membersByField(s *smithy.Schema) map[string]*smithy.Schema {
	if s == nil {
		return nil
	}
	byField := make(map[string]*smithy.Schema, len(s.Members()))
	for name, member := range s.Members() {
		byField[strings.ToUpper(name[:1])+name[1:]] = member
	}
	return byField
}

func listMember(s *smithy.Schema) *smithy.Schema {
	if s == nil {
		return nil
	}
	return s.ListMember()
}

func mapValue(s *smithy.Schema) *smithy.Schema {
	if s == nil {
		return nil
	}
	return s.MapValue()
}

func timestampFormat(s *smithy.Schema) string {
	if s == nil {
		return ""
	}
	if f, ok := smithy.SchemaTrait[*traits.TimestampFormat](s); ok {
		return f.Format
	}
	return ""
}
