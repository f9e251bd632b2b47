package logs_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/api/logs"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// What a member has of its own terms goes by retention also while another leads. It removes no group then of which it has no row.
func TestRetentionWhereAnotherLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := state.NewMemory()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 3)
		member := func() *state.DB {
			db := state.Open(state.Config{Backend: memory.Member(), Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal}})
			go func() { ended <- db.Run(ctx) }()
			synctest.Wait()
			return db
		}
		leader, follower := member(), member()
		if !leader.Leading() || follower.Leading() {
			t.Fatal("the first member does not lead")
		}
		must(t, leader.Update(ctx, func(tx *state.Tx) error {
			tx.LogGroups.Put(&model.LogGroup{Scope: model.Scope{Account: "000000000000", Region: "us-east-1"}, Name: "short", ID: "short", RetentionDays: 1})
			return nil
		}))
		store, err := logstore.Open(logstore.Config{Dir: t.TempDir()})
		must(t, err)
		bytes := map[string]func() int64{}
		for _, id := range []string{"short", "unknown"} {
			g, err := store.Group(id)
			must(t, err)
			must(t, g.CreateStream("s", 1))
			must(t, g.Append("s", []logstore.Event{{Time: time.Now().UnixMilli(), Message: "line"}}, 1))
			bytes[id] = func() int64 { return g.Usage().Bytes }
		}
		a := logs.New(logs.Config{DB: follower, Store: store})
		go func() { ended <- a.Run(ctx) }()
		time.Sleep(23 * time.Hour)
		if bytes["short"]() != 4 {
			t.Errorf("after 23 hours %d bytes are left", bytes["short"]())
		}
		time.Sleep(3 * time.Hour)
		if bytes["short"]() != 0 || bytes["unknown"]() != 4 {
			t.Errorf("after a day %d and %d bytes are left", bytes["short"](), bytes["unknown"]())
		}
		cancel()
		for range cap(ended) {
			<-ended
		}
		must(t, store.Close())
	})
}
