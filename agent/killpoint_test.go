package agent

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestKillPoint(t *testing.T) {
	for text, want := range map[string][]string{
		"agent:create.begin":            {"agent at 0s"},
		"agent:create.begin#3":          {"agent at 2s"},
		"containerd:create.begin#2+5ms": {"containerd at 1.005s"},
		"keeper:create.begin+1s":        {"keeper at 1s"},
		"agent:start.begin":             nil,
	} {
		synctest.Test(t, func(t *testing.T) {
			var killed []string
			began := time.Now()
			k, err := newKillPoint(text, func(who string) { killed = append(killed, who+" at "+time.Since(began).String()) })
			if err != nil {
				t.Fatal(err)
			}
			for range 4 {
				k.reached("create.begin")
				time.Sleep(time.Second)
			}
			if synctest.Wait(); !slices.Equal(killed, want) {
				t.Errorf("%s: killed %q, want %q", text, killed, want)
			}
		})
	}
	for _, text := range []string{"create.begin", "agent:", "server:create.begin", "agent:create.begin#x", "agent:create.begin+x"} {
		if _, err := newKillPoint(text, nil); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	var none *killPoint
	none.reached("create.begin")
}
