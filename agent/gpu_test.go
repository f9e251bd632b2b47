package agent

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// [D] SEMANTICS §4.5: GPUs are those that the operator names, or else NVIDIA's.
func TestFindGPUs(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"proc/driver/nvidia/gpus/0000:00:1e.0/information": "Model: \t Tesla T4\nGPU UUID: \t GPU-aaaa\nDevice Minor: \t 1\n",
		"proc/driver/nvidia/gpus/0000:00:1f.0/information": "Model: \t unknown\n",
		"dev/nvidiactl": "", "dev/nvidia-uvm": "",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		set  []string
		want map[string][]string
	}{
		{nil, map[string][]string{"GPU-aaaa": {"/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm"}}},
		{[]string{"g0=/dev/a", "g1=/dev/b,/dev/c"}, map[string][]string{"g0": {"/dev/a"}, "g1": {"/dev/b", "/dev/c"}}},
	} {
		if got, err := findGPUs(root, c.set); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %v, %v; want %v", c.set, got, err, c.want)
		}
	}
	if got, err := findGPUs(t.TempDir(), nil); err != nil || len(got) > 0 {
		t.Errorf("%v, %v on a machine without", got, err)
	}
	for _, bad := range []string{"g0", "=/dev/a", "g0="} {
		if _, err := findGPUs(root, []string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestReadEFS(t *testing.T) {
	got, err := readEFS([]string{"fs-1=/srv/a", "/srv/efs"})
	if err != nil || !reflect.DeepEqual(got, map[string]string{"fs-1": "/srv/a", "": "/srv/efs"}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"fs-1=", "fs-1=rel", "rel", "=/srv"} {
		if _, err := readEFS([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
