package controller_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// BenchmarkQueue is what a touched key costs from the revision to its end, without its Reconcile: one revision of 100
// changes, each touching one key, with 5,000 keys waiting for their timers besides. Ns and allocations are a key's.
func BenchmarkQueue(b *testing.B) {
	l := touching("x", 0)
	q := controller.NewQueue([]controller.Loop{l, l, l}, 1)
	now := time.Now()
	var all []string
	for n := range 5000 {
		all = append(all, fmt.Sprint("waiting", n))
	}
	q.Observe(touch(all...))
	for j, ok := q.Next(now); ok; j, ok = q.Next(now) {
		q.Done(j, now, now.Add(time.Hour), nil)
	}
	var keys []string
	for n := range 100 {
		keys = append(keys, fmt.Sprint("key", n))
	}
	r := touch(keys...)
	b.ReportAllocs()
	for n := 0; n < b.N; n += 300 {
		q.Observe(r)
		for j, ok := q.Next(now); ok; j, ok = q.Next(now) {
			q.Done(j, now, time.Time{}, nil)
		}
	}
}

// BenchmarkTimers is a wake-up that is set and goes off, with 5,000 others waiting.
func BenchmarkTimers(b *testing.B) {
	q := controller.NewQueue([]controller.Loop{touching("x", 0)}, 1)
	now := time.Now()
	var all []string
	for n := range 5000 {
		all = append(all, fmt.Sprint(n))
	}
	q.Observe(touch(all...))
	for n := 0; ; n++ {
		j, ok := q.Next(now)
		if !ok {
			break
		}
		q.Done(j, now, now.Add(time.Duration(n+1)*time.Microsecond), nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		now, _ = q.NextWake()
		j, _ := q.Next(now)
		q.Done(j, now, now.Add(5*time.Millisecond), nil)
	}
}

// BenchmarkDispatch is a touched key that commits one row, through driver, workers and the memory backend; "update" is the
// floor: the same commits by 64 callers of Update.
func BenchmarkDispatch(b *testing.B) {
	const keys = 1000
	put := func(tx *state.Tx, key string) {
		c := model.Cluster{Scope: scope, Name: key}
		if old, ok := tx.Clusters.Get(c.Key()); ok {
			c.CreatedAt = old.CreatedAt + 1
		}
		tx.Clusters.Put(&c)
	}
	var names []string
	for n := range keys {
		names = append(names, fmt.Sprint(n))
	}
	b.Run("driver", func(b *testing.B) {
		left := 0
		done := make(chan struct{}, 1)
		l := controller.Loop{
			Name: "x",
			Touched: func(dst []string, c *state.Change) []string {
				if c.Table == "instances" {
					dst = append(dst, names...)
				}
				return dst
			},
			Reconcile: func(tx *state.Tx, key string, _ time.Time) (time.Time, error) {
				put(tx, key)
				if left--; left == 0 {
					done <- struct{}{}
				}
				return time.Time{}, nil
			},
		}
		m := lead(b, l)
		b.ReportAllocs()
		b.ResetTimer()
		for n := int64(0); n < int64(b.N); n += keys {
			m.update(func(tx *state.Tx) error { left = keys; return wants("i", n)(tx) })
			<-done
		}
	})
	b.Run("update", func(b *testing.B) {
		m := lead(b)
		b.ReportAllocs()
		b.SetParallelism(32)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for n := 0; pb.Next(); n++ {
				m.update(func(tx *state.Tx) error { put(tx, names[n%keys]); return nil })
			}
		})
	})
}
