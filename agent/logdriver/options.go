package logdriver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Values of the option mode, which all drivers have (SEMANTICS §13.7).
const (
	Blocking    = "blocking"
	NonBlocking = "non-blocking"
)

// own are the options of each driver, without those that all have [D].
func own(name string) []string {
	facts := []string{"env", "env-regex", "labels", "labels-regex", "tag"}
	switch name {
	case AWSLogs:
		return []string{"awslogs-region", "awslogs-group", "awslogs-stream", "awslogs-stream-prefix", "awslogs-create-group", "awslogs-create-stream",
			"awslogs-datetime-format", "awslogs-multiline-pattern", "awslogs-endpoint", "awslogs-credentials-endpoint",
			"awslogs-force-flush-interval-seconds", "awslogs-max-buffered-events", "awslogs-format", "tag"}
	case JSONFile:
		return append(facts, "max-size", "max-file", "compress")
	case Syslog:
		return append(facts, "syslog-address", "syslog-facility", "syslog-format", "syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key",
			"syslog-tls-skip-verify")
	case GELF:
		return append(facts, "gelf-address", "gelf-compression-type", "gelf-compression-level", "gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay")
	case Fluentd:
		return append(facts, "fluentd-address", "fluentd-async", "fluentd-async-connect", "fluentd-async-reconnect-interval", "fluentd-buffer-limit",
			"fluentd-max-retries", "fluentd-read-timeout", "fluentd-request-ack", "fluentd-retry-wait", "fluentd-sub-second-precision", "fluentd-write-timeout")
	case Splunk:
		return append(facts, "splunk-url", "splunk-token", "splunk-source", "splunk-sourcetype", "splunk-index", "splunk-capath", "splunk-caname",
			"splunk-insecureskipverify", "splunk-format", "splunk-verify-connection", "splunk-gzip", "splunk-gzip-level", "splunk-index-acknowledgment")
	case Journald:
		return facts
	}
	return nil
}

// common are the options that any driver may have: how it takes lines, and how many of them the node keeps.
func common(option string) bool {
	switch option {
	case "mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress":
		return true
	}
	return false
}

// Check refuses options as Docker does when it makes the container, in its words [O].
func Check(name string, options map[string]string) error {
	switch options["mode"] {
	case "", Blocking, NonBlocking:
	default:
		return fmt.Errorf("logger: logging mode not supported: %s", options["mode"])
	}
	if size, set := options["max-buffer-size"]; set {
		if options["mode"] != NonBlocking {
			return errors.New("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
		}
		if _, err := ParseSize(size); err != nil {
			return fmt.Errorf("error parsing option max-buffer-size: %w", err)
		}
	}
	known := own(name)
	if known == nil {
		return fmt.Errorf("logger: no log driver named '%s' is registered", name)
	}
	for _, option := range slices.Sorted(maps.Keys(options)) {
		if !common(option) && !slices.Contains(known, option) {
			return fmt.Errorf("unknown log opt '%s' for %s log driver", option, name)
		}
	}
	if name == Syslog || name == GELF || name == Fluentd { // others look at values when they begin
		_, err := New(name, options, Facts{})
		return err
	}
	return nil
}

// ParseSize reads an amount of bytes as Docker does: a number with one of the units b, k, m, g, t, p, of 1024 each.
func ParseSize(text string) (int64, error) {
	s := strings.ToLower(strings.TrimSpace(text))
	s = strings.TrimSuffix(strings.TrimSuffix(s, "b"), "i")
	shift := 0
	if s != "" {
		if i := strings.IndexByte("kmgtp", s[len(s)-1]); i >= 0 {
			s, shift = strings.TrimSpace(s[:len(s)-1]), 10*(i+1)
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < 0 || n*float64(int64(1)<<shift) > 1<<62 {
		return 0, fmt.Errorf("invalid size: '%s'", text)
	}
	return int64(n * float64(int64(1)<<shift)), nil
}

// boolean reads an option that is true or false; fallback if it is not given.
func boolean(options map[string]string, name string, fallback bool) (bool, error) {
	if options[name] == "" {
		return fallback, nil
	}
	return strconv.ParseBool(options[name])
}
