package volumes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/acs"
)

// vault has values, and hears what containers are told.
type vault struct {
	mu     sync.Mutex
	values map[string]string
	err    error // of Get
	deaf   bool  // Tell fails
	asked  int
	heard  []string
}

func (v *vault) get(_ context.Context, _ string, sources []acs.FileSource) (map[string][]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	out := map[string][]byte{}
	for _, s := range sources {
		out[s.Name] = []byte(v.values[s.ValueFrom])
	}
	return out, v.err
}

func (v *vault) tell(_ context.Context, taskID, volume, signal string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.deaf {
		return errors.New("nobody hears")
	}
	v.heard = append(v.heard, taskID+" "+volume+" "+signal)
	return nil
}

// put changes a value.
func (v *vault) put(name, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.values[name] = value
}

func (v *vault) be(err error, deaf bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err, v.deaf = err, deaf
}

// ears are what was heard since the last time.
func (v *vault) ears() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := strings.Join(v.heard, ", ")
	v.heard = nil
	return s
}

// openFiles opens the volumes of a node whose file systems in memory are directories, which needs no root.
func openFiles(t *testing.T, dir string, from *vault) *Volumes {
	t.Helper()
	v, err := New(Config{Dir: dir, Values: Values{Get: from.get, Tell: from.tell}})
	must(t, err)
	v.isMounted = func(at string) (bool, error) { _, err := os.Stat(at + ".mounted"); return err == nil, nil }
	v.mountMemory = func(at string) error { return os.WriteFile(at+".mounted", nil, 0o600) }
	return v
}

func secret(name string, change func(*acs.FileVolume)) acs.Volume {
	f := &acs.FileVolume{Mode: 0o400, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Refresh: 30, Signal: "SIGHUP",
		Sources: []acs.FileSource{{Name: "user", ValueFrom: "u"}, {Name: "pass", ValueFrom: "p"}}}
	if change != nil {
		change(f)
	}
	return acs.Volume{Name: name, Type: "files", Files: f}
}

func look(dir string) string {
	have, _ := os.ReadDir(dir)
	var out []string
	for _, e := range have {
		if !strings.HasPrefix(e.Name(), "..") {
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			out = append(out, fmt.Sprintf("%s=%s%v", e.Name(), b, map[bool]string{true: "", false: "!"}[err == nil]))
		}
	}
	return strings.Join(out, " ")
}

// Within the volume's time a new value is in its files, all of them at once, and containers are told once: also by the next
// agent, if this one was killed between.
func TestFilesFollowTheirValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, from := t.TempDir(), &vault{values: map[string]string{"u": "ann", "p": "one"}}
		v := openFiles(t, dir, from)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		run := func() { go func(v *Volumes) { ended <- v.Run(ctx) }(v) }
		run()
		got, err := v.Attach(ctx, "t1", secret("s", nil))
		must(t, err)
		want := func(what, files, heard string) {
			t.Helper()
			synctest.Wait()
			if now := look(got.Source); now != files {
				t.Errorf("%s: files %s, want %s", what, now, files)
			}
			if now := from.ears(); now != heard {
				t.Errorf("%s: heard %q, want %q", what, now, heard)
			}
		}
		if !got.ReadOnly || got.Seed {
			t.Errorf("attached as %+v", got)
		}
		want("at first", "pass=one user=ann", "")
		if info, err := os.Stat(filepath.Join(got.Source, "pass")); err != nil || info.Mode() != 0o400 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		time.Sleep(2 * time.Minute)
		want("nothing has changed", "pass=one user=ann", "")
		from.put("p", "two")
		time.Sleep(30 * time.Second)
		want("after a rotation", "pass=two user=ann", "t1 s SIGHUP")
		time.Sleep(time.Minute)
		want("and then", "pass=two user=ann", "")
		from.be(errors.New("access denied"), false)
		from.put("p", "three")
		time.Sleep(time.Minute)
		want("without the right any more", "pass=two user=ann", "")
		from.be(nil, true)
		time.Sleep(30 * time.Second)
		want("a signal that fails", "pass=three user=ann", "")
		stop()
		must(t, <-ended)
		from.be(nil, false)
		from.put("u", "eve")
		ctx, stop = context.WithCancel(t.Context())
		v = openFiles(t, dir, from)
		run()
		time.Sleep(time.Second)
		want("the next agent", "pass=three user=eve", "t1 s SIGHUP")
		must(t, v.Detach(ctx, "t1"))
		want("without the task", "", "")
		asked := from.asked
		time.Sleep(time.Minute)
		if from.asked != asked {
			t.Error("values are still asked for")
		}
		must(t, v.Remove(ctx, "t1"))
		stop()
		must(t, <-ended)
	})
}

// A volume that cannot be filled is not there; one that is filled is not asked for again.
func TestFilesAreWhole(t *testing.T) {
	from := &vault{values: map[string]string{"u": "ann", "p": "one"}, err: fail("ResourceInitializationError", "no")}
	v := openFiles(t, t.TempDir(), from)
	if _, err := v.Attach(t.Context(), "t1", secret("s", nil)); !errors.Is(err, from.err) {
		t.Errorf("got %v", err)
	}
	from.be(nil, false)
	for range 2 {
		_, err := v.Attach(t.Context(), "t1", secret("s", nil))
		must(t, err)
	}
	if from.asked != 2 {
		t.Errorf("asked %d times", from.asked)
	}
	for name, bad := range map[string]acs.Volume{
		"outside":      secret("../s", nil),
		"a bad name":   secret("s2", func(f *acs.FileVolume) { f.Sources[0].Name = "../../x" }),
		"too much":     secret("s3", func(f *acs.FileVolume) { f.Sources[0].ValueFrom = "big" }),
		"a dotted one": secret("s4", func(f *acs.FileVolume) { f.Sources[0].Name = currentName }),
	} {
		from.put("big", strings.Repeat("x", mostBytes+1))
		if _, err := v.Attach(t.Context(), "t1", bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if ids, err := v.List(t.Context()); err != nil || !slices.Equal(ids, []string{"t1"}) {
		t.Errorf("%v, %v", ids, err)
	}
}

// A tree has what was written last and nothing else, whatever was there and wherever an earlier write was cut short.
func TestTreeHoldsTheLast(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		about := &acs.FileVolume{Mode: 0o400, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
		values := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", ".c", "d e"}), rapid.SliceOf(rapid.Byte()))
		for range rapid.IntRange(1, 5).Draw(rt, "writes") {
			if rapid.Bool().Draw(rt, "half") { // what a write leaves that was killed
				n := len(trimDots(tree(dir).generation()))
				must(t, os.MkdirAll(filepath.Join(dir, fmt.Sprintf("..%d", n), "x"), 0o755))
				_ = os.Symlink("..9", filepath.Join(dir, nextName))
			}
			want := values.Draw(rt, "values")
			if err := tree(dir).write(want, about); err != nil {
				rt.Fatal(err)
			}
			have, err := os.ReadDir(dir)
			must(t, err)
			names := map[string]bool{}
			for _, e := range have {
				names[e.Name()] = true
			}
			delete(names, currentName)
			delete(names, tree(dir).generation())
			if !tree(dir).holds(want) || !slices.Equal(slices.Sorted(maps.Keys(names)), slices.Sorted(maps.Keys(want))) {
				rt.Fatalf("holds %v, want %q", names, want)
			}
			if len(want) > 0 && tree(dir).holds(nil) {
				rt.Fatal("it holds nothing as well")
			}
		}
	})
}
