package oidc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/oidc"
)

// [I] A key signs for ninety days and a week; the next one is published that week, and the one before for a day after it. AWS says that it
// rotates keys, and not when.
func TestKeysTakeTurns(t *testing.T) {
	const day = 24 * time.Hour
	issuer := &model.TokenIssuer{Account: "000000000000", ID: "i"}
	add := func(at time.Duration, id, algorithm string) {
		issuer.Keys = append(issuer.Keys, model.IssuerKey{ID: id, Algorithm: algorithm, CreatedAt: at.Milliseconds()})
	}
	add(0, "a", oidc.RS256)
	add(0, "other", oidc.ES384)
	check := func(at time.Duration, signs, published string, due bool) {
		t.Helper()
		var ids []string
		for _, k := range oidc.Published(issuer, at.Milliseconds()) {
			ids = append(ids, k.ID)
		}
		k := oidc.Signing(issuer, oidc.RS256, at.Milliseconds())
		if k == nil || k.ID != signs || strings.Join(ids, " ") != published || oidc.Due(issuer, oidc.RS256, at.Milliseconds()) != due {
			t.Errorf("after %v: %+v signs, %v are published, due is %v", at, k, ids, !due)
		}
	}
	check(0, "a", "a other", false)
	check(90*day-1e6, "a", "a other", false)
	check(90*day, "a", "a other", true)
	add(91*day, "b", oidc.RS256)
	check(91*day, "a", "a other b", false)
	check(98*day-1e6, "a", "a other b", false)
	check(98*day, "b", "a other b", false)
	check(99*day-1e6, "b", "a other b", false)
	check(99*day, "b", "other b", false)
	check(181*day, "b", "other b", true)
	if oidc.Signing(issuer, "none", 0) != nil || oidc.Due(issuer, "none", time.Hour.Milliseconds()) {
		t.Error("an algorithm without keys has one")
	}
}
