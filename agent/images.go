package agent

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
)

const (
	collectEvery = time.Minute // a full disk fills within minutes, and a look costs one call
	// sharedContainerd is where a containerd that is not ours has its images.
	sharedContainerd = "/var/lib/containerd"
)

// checkImages fills in what is not said of images, and refuses what makes no sense.
func checkImages(cfg *Config) error {
	cfg.PullBehavior = cmp.Or(cfg.PullBehavior, runtime.PullDefault)
	if known := []string{runtime.PullDefault, runtime.PullAlways, runtime.PullOnce, runtime.PullPreferCached}; !slices.Contains(known, cfg.PullBehavior) {
		return fmt.Errorf("--image-pull %s is none of %q", cfg.PullBehavior, known)
	}
	cfg.ImageHigh = cmp.Or(cfg.ImageHigh, 85)
	cfg.ImageLow = cmp.Or(cfg.ImageLow, min(80, cfg.ImageHigh))
	cfg.ImageMinAge = cmp.Or(cfg.ImageMinAge, time.Hour)
	if cfg.ImageLow > cfg.ImageHigh || cfg.ImageLow < 1 || cfg.ImageMinAge < 0 {
		return fmt.Errorf("--image-low %d and --image-high %d must be percents, the first not above the second", cfg.ImageLow, cfg.ImageHigh)
	}
	return nil
}

// collectImages removes images that nobody uses while the disk is full, until ctx ends.
func (a *Agent) collectImages(ctx context.Context) error {
	c := runtime.CollectConfig{
		Path: filepath.Join(a.cfg.DataDir, "containerd"), High: a.cfg.ImageHigh, Low: a.cfg.ImageLow, MinAge: a.cfg.ImageMinAge,
		Every: collectEvery, Wanted: a.wantedImages,
	}
	if a.cfg.Containerd != "" {
		c.Path = sharedContainerd
	}
	return a.runtime.CollectImages(ctx, c)
}

// wantedImages are those of all tasks that the node has and that are not over, begun or not.
func (a *Agent) wantedImages() []string {
	var out []string
	for _, v := range a.tasks() {
		if !v.State.StoppedAt.IsZero() {
			continue
		}
		for i := range v.Task.Containers {
			out = append(out, v.Task.Containers[i].Image)
		}
	}
	return out
}

// pulls are the images that containers of the node's tasks wait for while they are fetched.
func (a *Agent) pulls(ctx context.Context) []acs.Pull {
	out := []acs.Pull{}
	for _, v := range a.tasks() {
		for i := range v.State.Containers {
			c := &v.State.Containers[i]
			if c.Try.Verb != task.VerbPull || !c.Try.Doing {
				continue
			}
			if done, total, ok := a.runtime.Fetching(ctx, v.Task.Containers[i].Image); ok {
				out = append(out, acs.Pull{TaskArn: v.Task.Arn, Container: c.Name, Done: done, Total: total})
			}
		}
	}
	return out
}
