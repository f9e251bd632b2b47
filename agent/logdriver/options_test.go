package logdriver

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"
)

// Docker's refusals, when a container is made and when it starts [O].
func TestRefusedOptions(t *testing.T) {
	opts := func(s ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(s); i += 2 {
			m[s[i]] = s[i+1]
		}
		return m
	}
	for _, c := range []struct {
		driver  string
		options map[string]string
		want    string // of Check, or after "start: " of New; "" for none
	}{
		{"etwlogs", nil, "logger: no log driver named 'etwlogs' is registered"},
		{JSONFile, opts("x", "1"), "unknown log opt 'x' for json-file log driver"},
		{JSONFile, opts("max-size", "10m", "max-file", "3", "compress", "true", "labels", "a", "env", "b", "mode", "blocking"), ""},
		{AWSLogs, opts("awslogs-group", "g", "x", "1"), "unknown log opt 'x' for awslogs log driver"},
		{AWSLogs, opts("awslogs-group", "g", "awslogs-stream-prefix", "p", "mode", "non-blocking", "max-buffer-size", "25m"), ""},
		{Syslog, opts("mode", "sometimes"), "logger: logging mode not supported: sometimes"},
		{Syslog, opts("max-buffer-size", "1m"), "logger: max-buffer-size option is only supported with 'mode=non-blocking'"},
		{Syslog, opts("mode", "non-blocking", "max-buffer-size", "much"), "error parsing option max-buffer-size: invalid size: 'much'"},
		{Syslog, opts("fluentd-address", "x"), "unknown log opt 'fluentd-address' for syslog log driver"},
		{Syslog, opts("syslog-address", "localhost:514"), "syslog-address should be in form proto://address, got localhost:514"},
		{Syslog, opts("syslog-address", "http://localhost"), "unsupported scheme: 'http'"},
		{Syslog, opts("syslog-address", "unix:///none"), "stat /none: no such file or directory"},
		{Syslog, opts("syslog-facility", "none"), "invalid syslog facility"},
		{Syslog, opts("syslog-format", "rfc1"), "Invalid syslog format"},
		{Syslog, opts("syslog-address", "udp://127.0.0.1", "syslog-facility", "16", "cache-disabled", "true"), ""},
		{GELF, opts(), "gelf-address is a required parameter"},
		{GELF, opts("gelf-address", "127.0.0.1:1"), "gelf-address should be in form proto://address, got 127.0.0.1:1"},
		{GELF, opts("gelf-address", "http://127.0.0.1:1"), "gelf: endpoint needs to be TCP or UDP"},
		{GELF, opts("gelf-address", "udp://127.0.0.1"), "gelf: please provide gelf-address as proto://host:port"},
		{GELF, opts("gelf-address", "udp://127.0.0.1:1", "gelf-compression-type", "rar"), `unknown value "rar" for log opt "gelf-compression-type" for gelf log driver`},
		{GELF, opts("gelf-address", "udp://127.0.0.1:1", "gelf-compression-level", "10"), `unknown value "10" for log opt "gelf-compression-level" for gelf log driver`},
		{GELF, opts("gelf-address", "tcp://127.0.0.1:1", "gelf-compression-type", "gzip"), "compression is only supported on UDP"},
		{GELF, opts("gelf-address", "udp://127.0.0.1:1", "gelf-tcp-max-reconnect", "1"), `"gelf-tcp-max-reconnect" is only valid for TCP`},
		{Fluentd, opts("fluentd-address", "ftp://x"), "invalid fluentd-address ftp://x: unsupported scheme 'ftp'"},
		{Fluentd, opts("fluentd-async", "true", "fluentd-async-connect", "true"), "conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect'"},
		{Fluentd, opts("fluentd-buffer-limit", "x"), "invalid size: 'x'"},
		{Fluentd, opts("fluentd-retry-wait", "1s", "fluentd-max-retries", "3", "fluentd-buffer-limit", "8m"), ""},
		{Splunk, opts("a", "b"), "unknown log opt 'a' for splunk log driver"},
		{Splunk, opts(), "start: splunk: splunk-url is expected"},
		{Splunk, opts("splunk-url", "http://x/path", "splunk-token", "t"), "start: splunk: expected format scheme://dns_name_or_ip:port for splunk-url"},
		{Splunk, opts("splunk-url", "http://x"), "start: splunk: splunk-token is expected"},
		{Splunk, opts("splunk-url", "http://x", "splunk-token", "t", "splunk-format", "xml"), "start: splunk: unknown format specified xml, supported formats are inline, json and raw"},
		{Journald, opts("splunk-url", "x"), "unknown log opt 'splunk-url' for journald log driver"},
		{Journald, opts("tag", "{{.Nope}}"), "start: render tag: template: "},
	} {
		err := Check(c.driver, c.options)
		want, start := strings.CutPrefix(c.want, "start: ")
		if start {
			if err != nil {
				t.Errorf("%s %v: refused early: %v", c.driver, c.options, err)
			}
			_, err = New(c.driver, c.options, Facts{})
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s %v: %v, want %q", c.driver, c.options, err, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "17": 17, "10k": 10 << 10, "1.5 M": 3 << 19, "25mb": 25 << 20, "2GiB": 2 << 30, "": -1, "x": -1, "-1": -1, "9999999p": -1} {
		got, err := ParseSize(text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

// Templates of tags have Docker's fields and functions [D].
func TestTag(t *testing.T) {
	f := &Facts{ID: "0123456789abcdef0123456789abcdef-web", Name: "ecs-f-1-web-t", Image: "probe:1", ImageID: "sha256:" + strings.Repeat("ab", 32), Host: "node",
		Command: "serve :80", Extra: map[string]string{"stage": "prod"}}
	for text, want := range map[string]string{
		"":                                    "0123456789abcdef0123456789abcdef-web",
		"{{.Name}}/{{.FullID}}":               "ecs-f-1-web-t/0123456789abcdef0123456789abcdef-web",
		"{{.ImageName}} {{.ImageID}}":         "probe:1 abababababab",
		"{{upper .Hostname}} {{.DaemonName}}": "NODE roadstead",
		"{{(.ExtraAttributes nil).stage}}":    "prod",
		`{{join (split .Name "-") "."}}`:      "ecs.f.1.web.t",
		`{{truncate .Name 3}}{{pad "x" 1 2}}`: "ecs x  ",
		"web-firelens-1":                      "web-firelens-1",
	} {
		if got, err := Tag(map[string]string{"tag": text}, f); got != want || err != nil {
			t.Errorf("%q is %q (%v), want %q", text, got, err, want)
		}
	}
	f.ID = strings.Repeat("0123456789abcdef", 4)
	if got, _ := Tag(nil, f); got != "0123456789ab" {
		t.Errorf("a hash is %q", got)
	}
}

func TestExtra(t *testing.T) {
	labels := map[string]string{"a": "1", "stage": "prod", "com.x.y": "z"}
	env := map[string]string{"A": "env", "AWS_REGION": "r", "SECRET": "sesame"}
	for _, c := range []struct{ options, want map[string]string }{
		{nil, map[string]string{}},
		{map[string]string{"labels": "stage,none", "env": "A"}, map[string]string{"stage": "prod", "A": "env"}},
		{map[string]string{"labels-regex": `^com\.`, "env-regex": "^AWS_"}, map[string]string{"com.x.y": "z", "AWS_REGION": "r"}},
	} {
		if got, err := Extra(c.options, labels, env); err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%v: %v %v", c.options, got, err)
		}
	}
	if _, err := Extra(map[string]string{"env-regex": "("}, labels, env); err == nil {
		t.Error("a bad expression is taken")
	}
}

// The heads of syslog's formats [D].
func TestSyslogFormats(t *testing.T) {
	m := Message{Line: "hello", Stream: "stdout", Time: time.Date(2026, 5, 1, 10, 2, 3, 4_567_000, time.UTC)}
	pid := os.Getpid()
	for format, want := range map[string]string{
		"":             fmt.Sprintf("<134>May  1 10:02:03 t[%d]: hello\n", pid),
		"rfc3164":      fmt.Sprintf("<134>May  1 10:02:03 node t[%d]: hello\n", pid),
		"rfc5424":      fmt.Sprintf("<134>1 2026-05-01T10:02:03Z node t %d t - hello\n", pid),
		"rfc5424micro": fmt.Sprintf("<134>1 2026-05-01T10:02:03.004567Z node t %d t - hello\n", pid),
	} {
		d, err := newSyslog(map[string]string{"syslog-format": format, "syslog-facility": "local0", "tag": "t"}, Facts{Host: "node"})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(d.appendMessage(nil, &m)); got != want {
			t.Errorf("%s: %q, want %q", format, got, want)
		}
	}
	m.Stream = stderr
	d, err := newSyslog(map[string]string{"syslog-address": "tcp+tls://127.0.0.1", "syslog-format": "rfc5424", "tag": "t"}, Facts{Host: "node"})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("<27>1 2026-05-01T10:02:03Z node t %d t - hello\n", pid)
	if got := string(d.appendMessage(nil, &m)); got != fmt.Sprintf("%d %s", len(want), want) {
		t.Errorf("with TLS: %q", got)
	}
}

// What records have beside the line, by driver.
func TestRecords(t *testing.T) {
	part := Message{Line: "a part", Stream: stderr, Time: time.Date(2026, 5, 1, 10, 0, 0, 123_456_789, time.UTC), Partial: &Partial{ID: "p", Ordinal: 2}}
	last := part
	last.Partial = &Partial{ID: "p", Ordinal: 3, Last: true}
	for name, open := range ways(t) {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			if w.options != nil {
				w.options["tag"] = "T/{{.Name}}"
			}
			if err := w.open(t).Send(t.Context(), []Message{part, last}); err != nil {
				t.Fatal(err)
			}
			w.await(t, func(all []string) bool { return len(all) == 2 })
			m := w.all[0]
			var want map[string]any
			switch w.driver {
			case Fluentd:
				want = map[string]any{"container_id": "task-web", "container_name": "/ecs-f-1-web-task", "source": "stderr", "stage": "prod", "@tag": "T/ecs-f-1-web-task",
					"@time": int64(1777629600), "partial_message": "true", "partial_id": "p", "partial_ordinal": "2", "partial_last": "false"}
				if w.options["fluentd-sub-second-precision"] != "" {
					want["@time"] = "1777629600.123456789"
				}
				if w.all[1]["partial_last"] != "true" {
					t.Errorf("the last part is %v", w.all[1])
				}
			case GELF:
				want = map[string]any{"version": "1.1", "host": "node", "level": 3.0, "timestamp": 1777629600.123, "_container_id": "task-web",
					"_container_name": "ecs-f-1-web-task", "_image_name": "probe", "_tag": "T/ecs-f-1-web-task", "_stage": "prod"}
			case Splunk:
				want = map[string]any{"time": "1777629600.123456", "host": "node"}
				e := m["event"].(map[string]any)
				if e["source"] != "stderr" || e["tag"] != "T/ecs-f-1-web-task" || e["attrs"].(map[string]any)["stage"] != "prod" {
					t.Errorf("event %v", e)
				}
			case Journald:
				want = map[string]any{"PRIORITY": "3", "CONTAINER_ID": "task-web", "CONTAINER_NAME": "ecs-f-1-web-task", "CONTAINER_TAG": "task-web", "SYSLOG_IDENTIFIER": "task-web",
					"STAGE": "prod", "IMAGE_NAME": "probe", "CONTAINER_PARTIAL_MESSAGE": "true", "CONTAINER_PARTIAL_ORDINAL": "2"}
			}
			for k, v := range want {
				if m[k] != v {
					t.Errorf("%s is %v, want %v", k, m[k], v)
				}
			}
		})
	}
}

// The formats of Splunk [D].
func TestSplunkFormats(t *testing.T) {
	for _, c := range []struct{ format, line, want string }{
		{"inline", `{"a":1}`, `{"event":{"line":"{\"a\":1}","source":"stdout","tag":"t","attrs":{"k":"v"}},`},
		{"json", `{"a":1}`, `{"event":{"line":{"a":1},"source":"stdout","tag":"t","attrs":{"k":"v"}},`},
		{"json", `no json`, `{"event":{"line":"no json","source":"stdout","tag":"t","attrs":{"k":"v"}},`},
		{"raw", `{"a":1}`, `{"event":"t k=v {\"a\":1}",`},
	} {
		d, err := newSplunk(map[string]string{"splunk-url": "http://x", "splunk-token": "t", "splunk-format": c.format, "splunk-index": "main", "tag": "t"},
			Facts{Host: "node", Extra: map[string]string{"k": "v"}})
		if err != nil {
			t.Fatal(err)
		}
		b := text(t, d.event(&Message{Line: c.line, Stream: "stdout", Time: time.Unix(1, 2000)}))
		if want := c.want + `"time":"1.000002","host":"node","index":"main"}`; b != want {
			t.Errorf("%s: %s, want %s", c.format, b, want)
		}
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// How much is kept, and may wait [D].
func TestReadLimits(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		driver  string
		options map[string]string
		want    Limits
		err     string
	}{
		{JSONFile, nil, Limits{Keep: -1}, ""},
		{JSONFile, map[string]string{"max-size": "10m", "max-file": "3", "compress": "true"}, Limits{Keep: 30 * mib}, ""},
		{JSONFile, map[string]string{"max-size": "10m"}, Limits{Keep: 10 * mib}, ""},
		{JSONFile, map[string]string{"compress": "true"}, Limits{}, "compress cannot be true when max-file is less than 2 or max-size is not set"},
		{JSONFile, map[string]string{"max-file": "0"}, Limits{}, "max-file cannot be less than 1"},
		{JSONFile, map[string]string{"max-size": "x"}, Limits{}, "invalid value for max-size: invalid size: 'x'"},
		{Syslog, nil, Limits{Keep: 100 * mib, Backlog: 100 * mib}, ""},
		{AWSLogs, map[string]string{"mode": "blocking", "cache-max-size": "1m", "cache-max-file": "1"}, Limits{Keep: mib, Backlog: mib, Blocking: true}, ""},
		{AWSLogs, map[string]string{"mode": "non-blocking", "max-buffer-size": "1g", "cache-disabled": "true"}, Limits{Backlog: 1 << 30}, ""},
	} {
		got, err := ReadLimits(c.driver, c.options)
		if c.err != "" && (err == nil || err.Error() != c.err) || c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%s %v: %+v %v", c.driver, c.options, got, err)
		}
	}
}
