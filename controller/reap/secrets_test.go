package reap_test

import (
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// [D] A deleted secret goes with its values when its recovery window is over, and others stay.
func TestSecretsGo(t *testing.T) {
	now := time.UnixMilli(10 * 3600 * 1000)
	put := func(tx *state.Tx, name string, gone model.Millis) {
		s := &model.Secret{Scope: scope, Name: name, Suffix: "abcdef", GoneAt: gone, Versions: []model.SecretStages{{ID: "1"}, {ID: "2"}}}
		tx.Secrets.Put(s)
		for _, v := range s.Versions {
			tx.SecretValues.Put(&model.SecretValue{Scope: scope, Name: name, Suffix: "abcdef", ID: v.ID})
		}
	}
	left, wake := reaped(t, now, 100, func(tx *state.Tx) {
		put(tx, "lives", 0)
		put(tx, "gone", now.Add(-time.Second).UnixMilli())
		put(tx, "waits", now.Add(time.Hour).UnixMilli())
	})
	if got := strings.Join(left, ", "); got != "secret lives, secret waits, value lives/1, value lives/2, value waits/1, value waits/2" {
		t.Errorf("left %s", got)
	}
	if want := now.Add(time.Hour + time.Millisecond); !wake.Equal(want) {
		t.Errorf("to be asked again at %v, want %v", wake, want)
	}
}
