package attack_test

import (
	"cmp"
	"errors"
	"flag"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/roadstead/roadstead/server"
)

var seed = flag.Uint64("attack.seed", 1, "of the generated inputs")

// tries is how many inputs are generated for an operation.
const tries = 25

// storm calls every operation as the account with generated inputs, and returns how many operations succeeded at least once
// and how many there are. Each answer is shown to look.
func storm(t *testing.T, s *server.Server, account string, look func(o operation, answer string, err error)) (worked, all int) {
	t.Helper()
	by := clients(s, account, http.DefaultTransport)
	ops := slices.Collect(operations(t, by))
	slices.SortStableFunc(ops, func(a, b operation) int { return cmp.Compare(a.turn(), b.turn()) })
	for _, o := range ops {
		g := &generator{rand.New(rand.NewPCG(*seed, 2)), guesses(rows(s.DB().Snapshot().Tables, alpha)), map[string]bool{}}
		slices.SortFunc(g.guesses, func(a, b guess) int { return strings.Compare(a.noun+a.value, b.noun+b.value) })
		done := false
		for range tries {
			answer, err := o.try(t.Context(), g.input(o))
			if g.learn(err) {
				continue
			}
			done = done || err == nil
			look(o, answer, err)
		}
		all++
		if done {
			worked++
		}
	}
	return worked, all
}

// [D] An account neither sees nor changes what belongs to another, whatever ARNs and names it says, in every operation that is
// served. The same inputs do a lot for their owner: they are not refused for being nonsense.
func TestAnotherAccountsThings(t *testing.T) {
	s := open(t)
	furnish(t, s)
	before := rows(s.DB().Snapshot().Tables, alpha)
	if len(before) < 30 {
		t.Fatalf("alpha has %d rows only", len(before))
	}
	storm(t, s, beta, func(o operation, answer string, err error) {
		if strings.Contains(answer, secret) || err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s %s shows what is alpha's: %s %v", o.service, o.name, answer, err)
		}
		var fault smithy.APIError
		if errors.As(err, &fault) && fault.ErrorFault() == smithy.FaultServer {
			t.Errorf("%s %s: %v", o.service, o.name, err)
		}
	})
	after := rows(s.DB().Snapshot().Tables, alpha)
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if after[key] != before[key] {
			t.Errorf("%s\nwas %s\nis  %s", key, before[key], after[key])
		}
		delete(after, key)
	}
	for key := range after {
		t.Errorf("beta made %s of alpha: %s", key, after[key])
	}
	worked, all := storm(t, s, alpha, func(operation, string, error) {})
	t.Logf("%d of %d operations worked for their owner", worked, all)
	if worked < all/2 {
		t.Errorf("only %d of %d operations worked for their owner: the inputs show little", worked, all)
	}
}

// turn says when an operation is tried: what takes things away comes last.
func (o operation) turn() int {
	for _, verb := range []string{"Delete", "Deregister", "Remove", "Detach", "Untag", "Stop", "Update"} {
		if strings.HasPrefix(o.name, verb) {
			return 1
		}
	}
	return 0
}
