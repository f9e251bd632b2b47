package runtime

import (
	"slices"
	"strings"
	"testing"
)

// [O] AGENT-PROTOCOL §4.1: the Region is told unless image or task name one, in either variable.
func TestRegionIsToldUnlessNamed(t *testing.T) {
	for name, c := range map[string]struct {
		image []string
		task  map[string]string
		want  []string
	}{
		"neither":        {nil, map[string]string{"A": "b"}, []string{"AWS_DEFAULT_REGION=r", "AWS_REGION=r"}},
		"the task":       {nil, map[string]string{"AWS_REGION": "x"}, []string{"AWS_REGION=x"}},
		"the image":      {[]string{"AWS_DEFAULT_REGION=y"}, nil, []string{"AWS_DEFAULT_REGION=y"}},
		"the task empty": {nil, map[string]string{"AWS_REGION": ""}, []string{"AWS_REGION="}},
	} {
		in := specInput{}
		in.Region, in.Environment, in.image.Env = "r", c.task, c.image
		got := slices.DeleteFunc(processEnv(in), func(kv string) bool { return !strings.HasPrefix(kv, "AWS_") })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
