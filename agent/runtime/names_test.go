package runtime

import (
	"reflect"
	"testing"
)

func TestNamesOfAContainer(t *testing.T) {
	n := Names{Hosts: map[string]string{}}
	n.parse("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost # here\n10.0.0.7\tdb db.internal\n",
		"search a.internal b.internal\nnameserver 10.0.0.2\nnameserver 10.0.0.3\noptions ndots:1\n")
	want := Names{
		Hosts:   map[string]string{"localhost": "127.0.0.1", "ip6-localhost": "::1", "db": "10.0.0.7", "db.internal": "10.0.0.7"},
		Servers: []string{"10.0.0.2", "10.0.0.3"}, Search: []string{"a.internal", "b.internal"},
	}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("%+v, want %+v", n, want)
	}
}
