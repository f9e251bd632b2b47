// Package firelens writes the configuration with which a task's log router, Fluent Bit or Fluentd, takes the lines of the task's other
// containers and sends them on, as ECS generates it: where it listens, what it adds, and an output for each container that has options
// for one (SEMANTICS §13.7).
//
// It is pure: it must not know containers, files or how lines reach the router.
package firelens

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Types of routers.
const (
	FluentBit = "fluentbit"
	Fluentd   = "fluentd"
)

// Where routers listen, and what applications are told of it.
const (
	Socket = "/var/run/fluent.sock"
	Port   = "24224"
)

// Config is what a router is to do.
type Config struct {
	Type        string
	NetworkMode string // bridge and awsvpc: it listens at Port, too
	// Metadata adds where a line is from to each record: Cluster, TaskARN, Definition (family:revision), and InstanceID unless it is "".
	Metadata                                 bool
	Cluster, TaskARN, Definition, InstanceID string
	External                                 string // a file in the router's container that is included, "" for none
	Outputs                                  []Output
}

// Output is a container with its options of the driver awsfirelens.
type Output struct {
	Container string
	Options   map[string]string
}

// Options that are no output's.
const (
	include = "include-pattern"
	exclude = "exclude-pattern"
)

// BufferLimit is the option that is for the container's log driver, not for the router.
const BufferLimit = "log-driver-buffer-limit"

// A dialect is how a router's configuration is written.
type dialect struct {
	output   string // the option that names an output
	wildcard string
	path     string // of the configuration in the router's container
	external string // of a configuration from S3
}

func dialectOf(kind string) dialect {
	if kind == Fluentd {
		return dialect{"@type", "**", "/fluentd/etc/fluent.conf", "/fluentd/etc/external.conf"}
	}
	return dialect{"Name", "*", "/fluent-bit/etc/fluent-bit.conf", "/fluent-bit/etc/external.conf"}
}

// Path is where the router of the type reads its configuration.
func Path(kind string) string { return dialectOf(kind).path }

// ExternalPath is where one that comes from S3 is.
func ExternalPath(kind string) string { return dialectOf(kind).external }

// Tag is that of the lines of the task's container.
func Tag(container, taskID string) string { return container + "-firelens-" + taskID }

// Variable names the variable of the router that has the value of a secret option of the task's container with the index, and Refer is
// how the router's configuration means it.
func Variable(option string, index int) string { return option + "_" + strconv.Itoa(index) }

// Refer says that an option has the value of a variable.
func Refer(kind, variable string) string {
	if kind == Fluentd {
		return `"#{ENV['` + variable + `']}"`
	}
	return "${" + variable + "}"
}

// Generate writes the configuration. Options without the name of an output are an error.
func (c *Config) Generate() (string, error) {
	d := dialectOf(c.Type)
	var w writer = &bitWriter{}
	if c.Type == Fluentd {
		w = &fluentdWriter{}
	}
	w.listen(c.NetworkMode)
	for _, o := range c.Outputs {
		match := o.Container + "-firelens" + d.wildcard
		if p := o.Options[include]; p != "" {
			w.grep(match, true, p)
		}
		if p := o.Options[exclude]; p != "" {
			w.grep(match, false, p)
		}
	}
	if c.Metadata {
		fields := map[string]string{"ecs_cluster": c.Cluster, "ecs_task_arn": c.TaskARN, "ecs_task_definition": c.Definition}
		if c.InstanceID != "" {
			fields["ec2_instance_id"] = c.InstanceID
		}
		w.add(fields)
	}
	if c.External != "" {
		w.include(c.External)
	}
	w.health(c.NetworkMode)
	for _, o := range c.Outputs {
		options := maps.Clone(o.Options)
		name, named := options[d.output]
		for _, other := range []string{d.output, include, exclude, BufferLimit} {
			delete(options, other)
		}
		switch {
		case named:
			w.output(name, o.Container+"-firelens"+d.wildcard, options)
		case len(options) > 0: // the agent's words [O]
			return "", fmt.Errorf("unable to apply log options of container %s to firelens config: missing output key %s which is required for firelens configuration of type %s",
				o.Container, d.output, c.Type)
		}
	}
	return w.String(), nil
}

// writer writes the sections of a dialect, in the order in which they are asked for.
type writer interface {
	listen(networkMode string)
	grep(match string, keep bool, pattern string)
	add(fields map[string]string)
	include(path string)
	health(networkMode string)
	output(name, match string, options map[string]string)
	String() string
}

// bind is the address at which a router listens beside its socket, "" for none.
func bind(networkMode string) string {
	return map[string]string{"bridge": "0.0.0.0", "": "0.0.0.0", "awsvpc": "127.0.0.1"}[networkMode]
}

// bitWriter writes for Fluent Bit.
type bitWriter struct{ strings.Builder }

func (w *bitWriter) section(name string, pairs ...string) {
	w.WriteString("\n[" + name + "]\n")
	for i := 0; i < len(pairs); i += 2 {
		w.WriteString("    " + pairs[i] + " " + pairs[i+1] + "\n")
	}
}

// healthTag is that of what comes to the port that a container health check may ask.
const healthTag = "firelens-healthcheck"

func (w *bitWriter) listen(networkMode string) {
	w.section("INPUT", "Name", "forward", "unix_path", Socket)
	if at := bind(networkMode); at != "" {
		w.section("INPUT", "Name", "forward", "Listen", at, "Port", Port)
		w.section("INPUT", "Name", "tcp", "Tag", healthTag, "Listen", "127.0.0.1", "Port", "8877")
	}
}

func (w *bitWriter) health(networkMode string) {
	if bind(networkMode) != "" {
		w.section("OUTPUT", "Name", "null", "Match", healthTag)
	}
}

func (w *bitWriter) grep(match string, keep bool, pattern string) {
	w.section("FILTER", "Name", "grep", "Match", match, map[bool]string{true: "Regex", false: "Exclude"}[keep], "log "+pattern)
}

func (w *bitWriter) add(fields map[string]string) {
	pairs := []string{"Name", "record_modifier", "Match", "*"}
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		pairs = append(pairs, "Record", k+" "+fields[k])
	}
	w.section("FILTER", pairs...)
}

func (w *bitWriter) include(path string) { w.WriteString("\n@INCLUDE " + path + "\n") }

func (w *bitWriter) output(name, match string, options map[string]string) {
	w.section("OUTPUT", append([]string{"Name", name, "Match", match}, sorted(options)...)...)
}

// fluentdWriter writes for Fluentd.
type fluentdWriter struct{ strings.Builder }

func (w *fluentdWriter) section(name, match string, lines ...string) {
	w.WriteString("\n<" + strings.TrimSpace(name+" "+match) + ">\n")
	for _, l := range lines {
		w.WriteString("    " + l + "\n")
	}
	w.WriteString("</" + name + ">\n")
}

func (w *fluentdWriter) listen(networkMode string) {
	w.section("source", "", "@type unix", "path "+Socket)
	if at := bind(networkMode); at != "" {
		w.section("source", "", "@type forward", "bind "+at, "port "+Port)
	}
}

// health: Fluentd has no port for it.
func (w *fluentdWriter) health(string) {}

func (w *fluentdWriter) grep(match string, keep bool, pattern string) {
	kind := map[bool]string{true: "regexp", false: "exclude"}[keep]
	w.section("filter", match, "@type grep", "<"+kind+">", "    key log", "    pattern "+pattern, "</"+kind+">")
}

func (w *fluentdWriter) add(fields map[string]string) {
	lines := []string{"@type record_transformer", "<record>"}
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		lines = append(lines, "    "+k+" "+fields[k])
	}
	w.section("filter", "**", append(lines, "</record>")...)
}

func (w *fluentdWriter) include(path string) { w.WriteString("\n@include " + path + "\n") }

func (w *fluentdWriter) output(name, match string, options map[string]string) {
	lines := []string{"@type " + name}
	pairs := sorted(options)
	for i := 0; i < len(pairs); i += 2 {
		lines = append(lines, pairs[i]+" "+pairs[i+1])
	}
	w.section("match", match, lines...)
}

// sorted are keys and values in the order of the keys.
func sorted(options map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(options)) {
		out = append(out, k, options[k])
	}
	return out
}
