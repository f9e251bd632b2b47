package runtime

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/test/scenario"
)

// cellar is a disk with images on it.
type cellar struct {
	size, used int
	images     []kept
	c          CollectConfig
}

type kept struct {
	stored
	size            int
	grabbed, broken bool
}

// The language: disk size= used=; fill by=; image NAME size= used=AGO is=in-use|wanted|grabbed|broken; marks high= low= age=; collect.
// Sizes have no unit.
func TestCollect(t *testing.T) {
	now := time.Unix(1e9, 0)
	scenario.Run(t, "testdata/collect/*.txt", func(t *testing.T) scenario.Verbs {
		d := &cellar{}
		full := func() (int, error) { return d.used * 100 / d.size, nil }
		remove := func(name string) (bool, error) {
			i := slices.IndexFunc(d.images, func(k kept) bool { return k.Name == name })
			switch k := d.images[i]; {
			case k.broken:
				return false, errors.New("no")
			case k.grabbed:
				return false, nil
			default:
				d.used -= k.size
				d.images = slices.Delete(d.images, i, i+1)
				return true, nil
			}
		}
		return scenario.Verbs{
			"disk": func(c *scenario.Call) { d.size, d.used = int(c.Int("size", 0)), int(c.Int("used", 0)) },
			"fill": func(c *scenario.Call) { d.used += int(c.Int("by", 0)) },
			"image": func(c *scenario.Call) {
				k := kept{stored: stored{Name: c.Arg()}, size: int(c.Int("size", 0))}
				k.Used = now.Add(-duration(t, c.Text("used", "0s")))
				is := c.Text("is", "")
				k.InUse, k.grabbed, k.broken = is == "in-use" || is == "wanted", is == "grabbed", is == "broken"
				d.images = append(d.images, k)
			},
			"marks": func(c *scenario.Call) {
				d.c = CollectConfig{High: int(c.Int("high", 0)), Low: int(c.Int("low", 0)), MinAge: duration(t, c.Text("age", "0s"))}
			},
			"collect": func(c *scenario.Call) {
				var all []stored
				for _, k := range d.images {
					all = append(all, k.stored)
				}
				gone, err := collect(all, d.c, now, full, remove)
				percent, _ := full()
				c.Printf("removed [%s], the disk is at %d %%", strings.Join(gone, " "), percent)
				if err != nil {
					c.Printf("failed: %v", err)
				}
			},
		}
	})
}

func duration(t *testing.T, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
