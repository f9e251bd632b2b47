package s3

import (
	"reflect"
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
)

// The operations are the SDK's, and all that is served is among them.
func TestOperations(t *testing.T) {
	var want []string
	client := reflect.TypeFor[*sdk.Client]()
	for m := range client.Methods() {
		if m.Type.IsVariadic() && m.Type.NumIn() == 4 && m.Type.NumOut() == 2 {
			want = append(want, m.Name)
		}
	}
	if !slices.Equal(operations(), want) {
		t.Errorf("operations %q, the SDK has %q", operations(), want)
	}
	a := New(Config{})
	for _, op := range a.Served() {
		if !slices.Contains(want, op) {
			t.Errorf("%s is served, and no operation", op)
		}
	}
	if len(a.Served())+len(a.Missing()) != len(want) || len(a.Served()) == 0 {
		t.Errorf("%d served and %d missing of %d", len(a.Served()), len(a.Missing()), len(want))
	}
}
