package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/acs"
)

// A source without a name is a file for each member of its JSON object; texts are as they are, and numbers lose nothing.
func TestReadSources(t *testing.T) {
	who := objects(t, map[string]string{
		"/box/all.json": `{"user":"ann \"a\"","id":12345678901234567890,"tags":["x"]}`, "/box/list.json": `["hidden"]`, "/box/null": "null", "/box/plain": "raw\x00bytes",
	})
	c, _, err := who(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	s3 := func(name, key string) acs.FileSource {
		return acs.FileSource{Name: name, ValueFrom: "arn:aws:s3:::box/" + key, Provider: "s3"}
	}
	for name, x := range map[string]struct {
		sources []acs.FileSource
		want    string
	}{
		"members and a file": {[]acs.FileSource{s3("", "all.json"), s3("bin", "plain")}, "bin=raw\x00bytes id=12345678901234567890 tags=[\"x\"] user=ann \"a\""},
		"as it is":           {[]acs.FileSource{s3("all", "list.json")}, `all=["hidden"]`},
		"twice":              {[]acs.FileSource{s3("id", "plain"), s3("", "all.json")}, "error: two values are for the file id"},
		"no object":          {[]acs.FileSource{s3("", "list.json")}, "error: arn:aws:s3:::box/list.json is not a JSON object"},
		"null":               {[]acs.FileSource{s3("", "null")}, "error: arn:aws:s3:::box/null is not a JSON object"},
		"refused":            {[]acs.FileSource{s3("x", "none")}, "error: unable to get arn:aws:s3:::box/none: get object none: AccessDenied"},
	} {
		got, err := readSources(t.Context(), c, x.sources)
		var list []string
		for _, name := range slices.Sorted(maps.Keys(got)) {
			list = append(list, fmt.Sprintf("%s=%s", name, got[name]))
		}
		said := strings.Join(list, " ")
		if err != nil {
			const before = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
			said = "error: " + strings.TrimPrefix(err.Error(), before)
		}
		if !strings.HasPrefix(said, x.want) || err == nil && said != x.want || err != nil && strings.Contains(said, "hidden") {
			t.Errorf("%s: got %q, want %q", name, said, x.want)
		}
	}
}

// Who mounts a volume with those of another container has it, too; circles end.
func TestHasVolume(t *testing.T) {
	with := func(name, volume string, from ...string) acs.Container {
		c := acs.Container{Name: name}
		if volume != "" {
			c.MountPoints = []acs.MountPoint{{SourceVolume: volume}}
		}
		for _, f := range from {
			c.VolumesFrom = append(c.VolumesFrom, acs.VolumeFrom{SourceContainer: f})
		}
		return c
	}
	task := &acs.Task{Containers: []acs.Container{with("a", "v"), with("b", "", "a"), with("c", "", "d", "b"), with("d", "w", "c"), with("e", "w")}}
	for name, want := range map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": false, "f": false} {
		if hasVolume(task, name, "v", nil) != want {
			t.Errorf("%s: want %v", name, want)
		}
	}
}
