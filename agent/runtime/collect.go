package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// CollectConfig says when images are removed from the node.
type CollectConfig struct {
	Path string // on the disk that images are on
	// High and Low are percents of the disk: when more than High is in use, images go until no more than Low is. High 100 or
	// more: never.
	High, Low int
	MinAge    time.Duration // an image stays that long after it was pulled, or used last
	Every     time.Duration // how often the disk is looked at
	// Wanted are the images of tasks that the node has, as in their definitions; those of containers are kept anyway.
	Wanted func() []string
}

// stored is an image as the decision sees it.
type stored struct {
	Name  string
	Used  time.Time // pulled, or used last
	InUse bool      // by a container, or by a task that will have one
}

// collectable are the images that may go, those first that were not used for the longest time.
func collectable(all []stored, minAge time.Duration, now time.Time) []stored {
	out := slices.DeleteFunc(slices.Clone(all), func(i stored) bool { return i.InUse || now.Sub(i.Used) < minAge })
	slices.SortFunc(out, func(a, b stored) int { return cmp.Or(a.Used.Compare(b.Used), cmp.Compare(a.Name, b.Name)) })
	return out
}

// collect removes images while the disk is too full: it begins above high and ends at low. remove says whether it removed the
// image: one that has come into use meanwhile stays.
func collect(all []stored, c CollectConfig, now time.Time, full func() (percent int, err error), remove func(name string) (bool, error)) (gone []string, err error) {
	if c.High >= 100 {
		return nil, nil
	}
	percent, err := full()
	if err != nil || percent <= c.High {
		return nil, err
	}
	for _, i := range collectable(all, c.MinAge, now) {
		if percent <= c.Low {
			break
		}
		removed, rerr := remove(i.Name)
		if rerr != nil {
			err = errors.Join(err, fmt.Errorf("remove image %s: %w", i.Name, rerr))
		}
		if !removed {
			continue
		}
		gone = append(gone, i.Name)
		var ferr error
		if percent, ferr = full(); ferr != nil {
			return gone, errors.Join(err, ferr)
		}
	}
	return gone, err
}

// CollectImages looks at the disk now and then until ctx ends, and then returns nil.
func (r *Runtime) CollectImages(ctx context.Context, c CollectConfig) error {
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		gone, err := r.CollectOnce(ctx, c)
		if len(gone) > 0 {
			r.cfg.Logger.Info("removed images, for the disk is full", "images", gone)
		}
		if err != nil && ctx.Err() == nil {
			r.cfg.Logger.Warn("remove images", "err", err)
		}
	}
}

// CollectOnce looks at the disk once, and returns the names of the images that it removed. It also writes down which were used.
func (r *Runtime) CollectOnce(ctx context.Context, c CollectConfig) ([]string, error) {
	ctx = r.in(ctx)
	if err := r.noteUses(ctx, c.MinAge/3); err != nil {
		return nil, err
	}
	full := func() (int, error) { return diskUse(c.Path) }
	if percent, err := full(); err != nil || percent <= c.High || c.High >= 100 {
		return nil, err
	}
	all, err := r.stored(ctx, c.Wanted)
	if err != nil {
		return nil, err
	}
	return collect(all, c, time.Now(), full, func(name string) (bool, error) { return r.removeImage(ctx, name, c.Wanted) })
}

// labelUsed of an image in containerd is when it was used last. Writing it sets the image's UpdatedAt, which is what counts.
const labelUsed = "roadstead.used"

// noteUses writes down which images were used more than fresh after they were pulled, or that was last written: for the next agent.
func (r *Runtime) noteUses(ctx context.Context, fresh time.Duration) error {
	store := r.client.ImageService()
	for name, at := range r.images.uses() {
		img, err := store.Get(ctx, name)
		if err == nil && at.After(img.UpdatedAt.Add(fresh)) {
			img.Labels = map[string]string{labelUsed: at.UTC().Format(time.RFC3339)}
			_, err = store.Update(ctx, img, "labels."+labelUsed)
		}
		if err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("note the use of image %s: %w", name, err)
		}
	}
	return nil
}

// stored lists the node's images.
func (r *Runtime) stored(ctx context.Context, wanted func() []string) ([]stored, error) {
	all, err := r.client.ImageService().List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	used, err := r.usedImages(ctx, wanted)
	if err != nil {
		return nil, err
	}
	uses := r.images.uses()
	out := make([]stored, 0, len(all))
	for _, img := range all {
		at := img.UpdatedAt
		if last := uses[img.Name]; last.After(at) {
			at = last
		}
		out = append(out, stored{Name: img.Name, Used: at, InUse: used[img.Name]})
	}
	return out, nil
}

// usedImages are the names of those that containers have or tasks want.
func (r *Runtime) usedImages(ctx context.Context, wanted func() []string) (map[string]bool, error) {
	out := map[string]bool{}
	for _, name := range wanted() {
		if named, err := normalize(name); err == nil {
			out[named.String()] = true
		}
	}
	all, err := r.containers.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	for _, c := range all {
		out[c.Image] = true
	}
	return out, nil
}

// removeImage removes an image, unless it is in use now. Nobody pulls meanwhile: a task that has found its image by then is
// among those that want it. While pulls are under way nothing is removed; there is another time.
func (r *Runtime) removeImage(ctx context.Context, name string, wanted func() []string) (bool, error) {
	if !r.pulling.TryLock() {
		return false, nil
	}
	defer r.pulling.Unlock()
	used, err := r.usedImages(ctx, wanted)
	if err != nil || used[name] {
		return false, err
	}
	r.images.drop(name)
	err = r.client.ImageService().Delete(ctx, name, images.SynchronousDelete()) // its layers go before it returns
	if errors.Is(err, errdefs.ErrNotFound) {
		err = nil
	}
	return err == nil, err
}

// diskUse is how much of a disk is in use, in percent of what unprivileged processes may use, as df shows it.
func diskUse(path string) (int, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("look at the disk of %s: %w", path, err)
	}
	used := s.Blocks - s.Bfree
	if used+s.Bavail == 0 {
		return 0, nil
	}
	return int((used*100 + used + s.Bavail - 1) / (used + s.Bavail)), nil
}
