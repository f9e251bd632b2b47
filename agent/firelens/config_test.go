package firelens

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files") //nolint:gochecknoglobals // a flag

// The configurations that ECS documents, with all that they may have [D].
func TestGenerate(t *testing.T) {
	app := map[string]string{"include-pattern": "^[a-z]", "exclude-pattern": "debug", "region": "us-west-2", "log-driver-buffer-limit": "1048576"}
	with := func(more ...string) map[string]string {
		out := maps.Clone(app)
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	full := func(kind, mode, external string, outputs ...Output) Config {
		return Config{Type: kind, NetworkMode: mode, Metadata: true, Cluster: "prod", TaskARN: "arn:aws:ecs:us-east-1:000000000000:task/prod/0123", Definition: "web:7",
			InstanceID: "i-1", External: external, Outputs: outputs}
	}
	for name, c := range map[string]Config{
		"bit-bridge":     full(FluentBit, "bridge", "", Output{"app", with("Name", "firehose", "apikey", Refer(FluentBit, Variable("apikey", 1)))}, Output{"side", map[string]string{"Name": "null"}}),
		"bit-awsvpc":     full(FluentBit, "awsvpc", ExternalPath(FluentBit), Output{"app", map[string]string{"include-pattern": "x"}}),
		"bit-host":       {Type: FluentBit, NetworkMode: "host", External: "/extra.conf", Outputs: []Output{{"app", nil}}},
		"fluentd-bridge": full(Fluentd, "", ExternalPath(Fluentd), Output{"app", with("@type", "kinesis_firehose", "apikey", Refer(Fluentd, Variable("apikey", 1)))}),
		"fluentd-awsvpc": full(Fluentd, "awsvpc", "", Output{"app", map[string]string{"@type": "stdout"}}),
		"fluentd-host":   {Type: Fluentd, NetworkMode: "host"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.Generate()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".conf")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || got != string(want) {
				t.Errorf("%v; got\n%s", err, got)
			}
			if again, _ := c.Generate(); again != got {
				t.Error("it differs from time to time")
			}
		})
	}
}

// Options need an output that they are for [O].
func TestNoOutput(t *testing.T) {
	for kind, key := range map[string]string{FluentBit: "Name", Fluentd: "@type"} {
		c := Config{Type: kind, Outputs: []Output{{"app", map[string]string{"region": "r"}}}}
		_, err := c.Generate()
		if err == nil || !strings.HasSuffix(err.Error(), "missing output key "+key+" which is required for firelens configuration of type "+kind) {
			t.Errorf("got %v", err)
		}
	}
}
