package reap_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/controller/reap"
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

// [D] A key goes with its grants when its waiting period is over, a parameter with its versions when it expires; what does not go in
// one transaction goes in the next, and the key or parameter last.
func TestKeysAndParametersGo(t *testing.T) {
	now := time.UnixMilli(10 * 3600 * 1000)
	over := now.Add(-time.Second).UnixMilli()
	fill := func(tx *state.Tx) {
		for id, gone := range map[string]model.Millis{"lives": 0, "gone": over} {
			tx.KMSKeys.Put(&model.KMSKey{Scope: scope, ID: id, GoneAt: gone})
			for _, g := range []string{"1", "2"} {
				tx.KMSGrants.Put(&model.KMSGrant{Scope: scope, KeyID: id, ID: g})
			}
			tx.Parameters.Put(&model.Parameter{Scope: scope, Name: id, Oldest: 2, Version: 3, GoneAt: gone})
			for n := range int64(2) {
				tx.ParameterVersions.Put(&model.ParameterVersion{Scope: scope, Name: id, Version: n + 2})
			}
		}
	}
	const lives = "key lives, grant lives/1, grant lives/2, parameter lives, version lives@2, version lives@3"
	left, _ := reaped(t, now, 100, fill)
	if got := strings.Join(left, ", "); got != lives {
		t.Errorf("left %s", got)
	}
	left, wake := reaped(t, now, 2, fill)
	if got := strings.Join(left, ", "); got != "key gone, key lives, grant gone/2, grant lives/1, grant lives/2, parameter gone, parameter lives, version gone@2, version gone@3, version lives@2, version lives@3" {
		t.Errorf("left %s", got)
	}
	if !wake.Equal(now) {
		t.Errorf("to be asked again at %v", wake)
	}
}

// An export task that has ended is described for a week, one that runs as long as it does.
func TestLogExportsGo(t *testing.T) {
	now := time.UnixMilli(10 * 24 * 3600 * 1000)
	left, wake := reaped(t, now, 100, func(tx *state.Tx) {
		for id, ended := range map[string]time.Duration{"old": 8 * 24 * time.Hour, "new": 24 * time.Hour} {
			tx.LogExports.Put(&model.LogExport{Scope: scope, ID: id, EndedAt: now.Add(-ended).UnixMilli()})
		}
		tx.LogExports.Put(&model.LogExport{Scope: scope, ID: "runs"})
	})
	if got := strings.Join(left, ", "); got != "export new, export runs" {
		t.Errorf("left %s", got)
	}
	if want := now.Add(6*24*time.Hour + time.Millisecond); !wake.Equal(want) {
		t.Errorf("to be asked again at %v, want %v", wake, want)
	}
}

// [D] A material that was brought for a key is deleted when it expires; the key stays.
func TestMaterialsGo(t *testing.T) {
	now := time.UnixMilli(10 * 3600 * 1000)
	db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = db.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if err := db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	l := reap.Loop{Retention: keep, Limit: 10}
	var wake time.Time
	err := db.Update(ctx, func(tx *state.Tx) (err error) {
		for id, m := range map[string]model.KMSKey{
			"over": {External: true, Materials: []model.KMSMaterial{{Sealed: []byte("s"), Print: []byte("p"), ExpiresAt: now.Add(-time.Second).UnixMilli()}}},
			"soon": {External: true, Materials: []model.KMSMaterial{{Sealed: []byte("s"), ExpiresAt: now.Add(time.Second).UnixMilli()}}},
			"ever": {External: true, Materials: []model.KMSMaterial{{Sealed: []byte("s")}}},
			"ours": {Materials: []model.KMSMaterial{{Sealed: []byte("s")}}},
		} {
			m.Scope, m.ID = scope, id
			tx.KMSKeys.Put(&m)
		}
		wake, err = l.Reconcile(tx, "", now)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for k := range db.Snapshot().KMSKeys.All() {
		if gone := len(k.Materials[0].Sealed) == 0; gone != (k.ID == "over") || gone && string(k.Materials[0].Print) != "p" {
			t.Errorf("%s: %+v", k.ID, k.Materials)
		}
	}
	if got := wake.Sub(now); got != reap.Batch {
		t.Errorf("to be asked again after %v", got)
	}
	if touched := l.Touched(nil, &state.Change{New: &model.KMSKey{External: true, Materials: []model.KMSMaterial{{Sealed: []byte("s"), ExpiresAt: 1}}}}); len(touched) == 0 {
		t.Error("a material that will expire is not noticed")
	}
}
