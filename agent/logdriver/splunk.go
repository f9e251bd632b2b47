package logdriver

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// splunk is the driver splunk: Splunk's HTTP Event Collector.
type splunk struct {
	url      string
	token    string
	format   string // inline, json or raw
	verify   bool   // that the collector answers, at the start
	gzip     bool
	level    int
	ack      string        // the channel of the option splunk-index-acknowledgment, "" without
	acked    string        // URL that knows what has been indexed
	patience time.Duration // with what has not been; then it is sent again
	secure   *tlsFiles
	base     splunkEvent
	tag      string
	attrs    map[string]string
	prefix   string // of lines in the format raw

	client *http.Client
	found  bool // the collector has answered
}

// splunkEvent is one line as the collector takes it.
type splunkEvent struct {
	Event      any    `json:"event"`
	Time       string `json:"time"` // seconds
	Host       string `json:"host"`
	Source     string `json:"source,omitempty"`
	SourceType string `json:"sourcetype,omitempty"`
	Index      string `json:"index,omitempty"`
}

// splunkLine is the event in the formats inline and json.
type splunkLine struct {
	Line   any               `json:"line"`
	Source string            `json:"source"`
	Tag    string            `json:"tag,omitempty"`
	Attrs  map[string]string `json:"attrs,omitempty"`
}

const (
	splunkPath    = "/services/collector/event/1.0"
	splunkAckPath = "/services/collector/ack"
	firstAsk      = 100 * time.Millisecond // for an acknowledgement
	lastAsk       = 5 * time.Second
	patience      = 5 * time.Minute // what Splunk advises [D]
)

func newSplunk(options map[string]string, f Facts) (*splunk, error) {
	d := &splunk{token: options["splunk-token"], format: options["splunk-format"], attrs: f.Extra, level: gzip.DefaultCompression, patience: patience}
	if err := d.readAddress(options["splunk-url"]); err != nil {
		return nil, err
	}
	if d.token == "" {
		return nil, errors.New("splunk: splunk-token is expected")
	}
	switch d.format {
	case "":
		d.format = "inline"
	case "inline", "json", "raw":
	default:
		return nil, fmt.Errorf("splunk: unknown format specified %s, supported formats are inline, json and raw", d.format)
	}
	d.secure = &tlsFiles{ca: options["splunk-capath"], name: options["splunk-caname"]}
	var acks bool
	for _, o := range []struct {
		name     string
		to       *bool
		fallback bool
	}{
		{"splunk-insecureskipverify", &d.secure.skipVerify, false}, {"splunk-verify-connection", &d.verify, true}, {"splunk-gzip", &d.gzip, false},
		{"splunk-index-acknowledgment", &acks, false},
	} {
		var err error
		if *o.to, err = boolean(options, o.name, o.fallback); err != nil {
			return nil, err
		}
	}
	if acks {
		d.ack = uuid.NewString()
		d.acked += "?channel=" + d.ack
	}
	if s := options["splunk-gzip-level"]; s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return nil, err
		}
		if n < gzip.DefaultCompression || n > gzip.BestCompression {
			return nil, fmt.Errorf("not supported level '%s' for splunk-gzip-level (supported values between %d and %d)", s, gzip.DefaultCompression, gzip.BestCompression)
		}
		d.level = n
	}
	if text, set := options["tag"]; !set || text != "" {
		var err error
		if d.tag, err = Tag(options, &f); err != nil {
			return nil, err
		}
	}
	d.base = splunkEvent{Host: f.Host, Source: options["splunk-source"], SourceType: options["splunk-sourcetype"], Index: options["splunk-index"]}
	if d.tag != "" {
		d.prefix = d.tag + " "
	}
	for _, k := range slices.Sorted(maps.Keys(d.attrs)) {
		d.prefix += k + "=" + d.attrs[k] + " "
	}
	return d, nil
}

func (d *splunk) readAddress(text string) error {
	if text == "" {
		return errors.New("splunk: splunk-url is expected")
	}
	u, err := url.Parse(text)
	if err != nil {
		return fmt.Errorf("splunk: failed to parse splunk-url as url value in splunk-url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("splunk: expected format scheme://dns_name_or_ip:port for splunk-url")
	}
	u.Path = splunkPath
	d.url = u.String()
	u.Path = splunkAckPath
	d.acked = u.String()
	return nil
}

func (d *splunk) Connect(ctx context.Context) error {
	if d.client == nil {
		config, err := d.secure.config()
		if err != nil {
			return err
		}
		d.client = &http.Client{Timeout: ackWithin, Transport: &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1}}
	}
	if d.found || !d.verify {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	if _, err := d.call(ctx, http.MethodOptions, d.url, nil); err != nil {
		return fmt.Errorf("splunk: failed to verify connection - %w", err)
	}
	d.found = true
	return nil
}

func (d *splunk) Send(ctx context.Context, messages []Message) error {
	if len(messages) == 0 {
		return nil
	}
	if err := d.Connect(ctx); err != nil {
		return err
	}
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	for i := range messages {
		if strings.TrimSpace(messages[i].Line) == "" { // the collector takes no empty events
			continue
		}
		if err := out.Encode(d.event(&messages[i])); err != nil {
			return err
		}
	}
	if b.Len() == 0 {
		return nil
	}
	body, err := d.packed(b.Bytes())
	if err != nil {
		return err
	}
	answer, err := d.call(ctx, http.MethodPost, d.url, body)
	if err == nil && d.ack != "" {
		err = d.awaitIndexed(ctx, answer)
	}
	if err != nil {
		return fmt.Errorf("splunk: failed to send event - %w", err)
	}
	return nil
}

func (d *splunk) packed(body []byte) ([]byte, error) {
	if !d.gzip {
		return body, nil
	}
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, d.level)
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	return z.Bytes(), err
}

// awaitIndexed waits until the events are indexed for which the collector gave the answer: before that they are in its memory. A token
// without acknowledgements gives no number, and a collector that knows nothing of them has not to be asked again.
func (d *splunk) awaitIndexed(ctx context.Context, answer []byte) error {
	var given struct {
		ID *int64 `json:"ackId"`
	}
	if json.Unmarshal(answer, &given) != nil || given.ID == nil {
		return nil
	}
	id := strconv.FormatInt(*given.ID, 10)
	ctx, cancel := context.WithTimeout(ctx, d.patience)
	defer cancel()
	for wait := firstAsk; ; wait = min(2*wait, lastAsk) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("the events were not acknowledged: %w", ctx.Err())
		}
		text, err := d.call(ctx, http.MethodPost, d.acked, []byte(`{"acks":[`+id+`]}`))
		if _, never := errors.AsType[*Refusal](err); never {
			return nil
		}
		var known struct {
			Acks map[string]bool `json:"acks"`
		}
		if err == nil && json.Unmarshal(text, &known) == nil && known.Acks[id] {
			return nil
		}
	}
}

func (d *splunk) event(m *Message) *splunkEvent {
	e := d.base
	e.Time = fmt.Sprintf("%d.%06d", m.Time.Unix(), m.Time.Nanosecond()/1000)
	if d.format == "raw" {
		e.Event = d.prefix + m.Line
		return &e
	}
	line := &splunkLine{Line: m.Line, Source: m.Stream, Tag: d.tag, Attrs: d.attrs}
	if d.format == "json" && json.Valid([]byte(m.Line)) && m.Line != "null" {
		line.Line = json.RawMessage(m.Line)
	}
	e.Event = line
	return &e
}

// call asks the collector, and returns its answer. What it will never take is a *Refusal.
func (d *splunk) call(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		r.Header.Set("Authorization", "Splunk "+d.token)
		if d.gzip && url == d.url {
			r.Header.Set("Content-Encoding", "gzip")
		}
		if d.ack != "" {
			r.Header.Set("X-Splunk-Request-Channel", d.ack)
		}
	}
	answer, err := d.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	switch {
	case err != nil:
		return nil, err
	case answer.StatusCode == http.StatusOK:
		return text, nil
	}
	err = fmt.Errorf("%s - %s", answer.Status, text)
	switch answer.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return nil, &Refusal{err}
	case http.StatusNotFound:
		if url == d.acked {
			return nil, &Refusal{err}
		}
	}
	return nil, err
}

func (d *splunk) Close() error {
	if d.client != nil {
		d.client.CloseIdleConnections()
	}
	return nil
}
