package simulate

import (
	"math/rand/v2"
	"time"
)

// occasion is one time that an event happens. All that is drawn for it depends on the seed, the event and the occasion only,
// so that a what-if changes nothing that it does not touch.
type occasion struct {
	seed   uint64
	event  int // in the script
	number int // of the occasion
	often  bool
	text   string
}

// draw returns the randomness of one of the occasion's copies.
func (o *occasion) draw(n int) *rand.Rand {
	return rand.New(rand.NewPCG(o.seed, mix(mix(uint64(o.event), uint64(o.number)), uint64(n))))
}

// mix makes one number of two, so that near ones give far ones.
func mix(a, b uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 + b + 0x632be59bd9b4e019
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// script sets the alarms of the events.
func (w *world) script() {
	for i := range w.file.Events {
		e := &w.file.Events[i]
		w.occur(e, &occasion{seed: w.file.Seed, event: i, often: e.Every > 0, text: e.Text}, e.From)
	}
}

// occur lets the event happen at a time, and from then on as often as it does.
func (w *world) occur(e *Event, o *occasion, from time.Duration) {
	if e.Until > 0 && from >= e.Until && e.Every > 0 {
		return
	}
	w.after(from-w.now, func() {
		e.do(w, o)
		if e.Every > 0 {
			again := *o
			again.number++
			w.occur(e, &again, from+e.Every)
		}
	})
}
