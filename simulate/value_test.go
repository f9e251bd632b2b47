package simulate

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestMoments(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"02:00": 2 * time.Hour, "26:30:15": 26*time.Hour + 30*time.Minute + 15*time.Second, "90m": 90 * time.Minute, "2d": 48 * time.Hour, "0s": 0,
	} {
		if got, err := moment(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if got := clock(26*time.Hour + 5*time.Minute + 1234*time.Millisecond); got != "26:05:01.234" {
		t.Error(got)
	}
}

// Each distribution has the mean and the bounds that its words promise.
func TestSpreads(t *testing.T) {
	tests := []struct {
		text        string
		mean        time.Duration
		least, most time.Duration
	}{
		{"20s", 20 * time.Second, 20 * time.Second, 20 * time.Second},
		{"5s..15s", 10 * time.Second, 5 * time.Second, 15 * time.Second},
		{"exp 10m", 10 * time.Minute, 0, 200 * time.Minute},
		{"normal 1h 5m", time.Hour, 30 * time.Minute, 90 * time.Minute},
		{"forever", forever, forever, forever},
	}
	for _, tt := range tests {
		s, err := spread(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 2))
		sum := 0.0
		const draws = 10_000
		for range draws {
			d := s.draw(r)
			if d < tt.least || d > tt.most || d != forever && d%time.Millisecond != 0 {
				t.Fatalf("%s gives %v", tt.text, d)
			}
			sum += float64(d) / draws
		}
		if math.Abs(sum/float64(tt.mean)-1) > 0.05 {
			t.Errorf("%s has the mean %v", tt.text, time.Duration(sum))
		}
	}
}

func TestShortForms(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1234 * time.Millisecond: "1.23s", 20*time.Minute + 1400*time.Millisecond: "20m1s", 20 * time.Minute: "20m", 2 * time.Hour: "2h", 2*time.Hour + time.Second: "2h0m1s",
	} {
		if got := short(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// A gauge means what it measures: by bucket and over all.
func TestGauge(t *testing.T) {
	g := gauge{width: 10 * time.Second}
	g.add(5*time.Second, 4)
	g.add(25*time.Second, -2)
	want := []float64{2, 4, 3, 2}
	got := g.series(35 * time.Second)
	if len(got) != len(want) {
		t.Fatal(got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("bucket %d: %v, want %v", i, got[i], want[i])
		}
	}
	if m := g.mean(35 * time.Second); math.Abs(m-100.0/35) > 1e-9 {
		t.Errorf("mean %v", m)
	}
	if s := sparkline([]float64{0, 0.1, 4, 8}, 8, 48); s != " ▁▅█" {
		t.Errorf("%q", s)
	}
}

func TestWaits(t *testing.T) {
	var sorted []time.Duration
	for i := range 200 {
		sorted = append(sorted, time.Duration(i+1)*time.Second)
	}
	if got := waits(sorted); got != "1m40s, 3m18s, 3m20s" {
		t.Error(got)
	}
	if got := waits(sorted[:1]); got != "1s, 1s, 1s" {
		t.Error(got)
	}
}
