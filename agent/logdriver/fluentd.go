package logdriver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// fluentd is the driver fluentd, which awsfirelens uses, too: the forward protocol over TCP, TLS or a unix socket. A call is an
// entry for each line, so that a receiver has all or none of a chunk that it acknowledges.
type fluentd struct {
	to      address
	tag     string
	fields  []string // keys and values that each record begins with, encoded
	count   int      // of fields
	async   bool     // the receiver may come later
	acks    bool
	precise bool

	stream link
}

const (
	fluentdPort   = "24224"
	ackWithin     = 60 * time.Second
	partialFields = 4
)

func newFluentd(options map[string]string, f Facts) (*fluentd, error) {
	d := &fluentd{}
	if options["fluentd-async"] != "" && options["fluentd-async-connect"] != "" {
		return nil, errors.New("conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect'")
	}
	var connect bool
	for _, o := range []struct {
		name string
		to   *bool
	}{{"fluentd-async", &d.async}, {"fluentd-async-connect", &connect}, {"fluentd-request-ack", &d.acks}, {"fluentd-sub-second-precision", &d.precise}} {
		var err error
		if *o.to, err = boolean(options, o.name, false); err != nil {
			return nil, err
		}
	}
	d.async = d.async || connect
	if err := checkFluentdNumbers(options); err != nil {
		return nil, err
	}
	text := options["fluentd-address"]
	if text == "" {
		text = "tcp://127.0.0.1"
	}
	scheme, at, err := parseAddress(text, "tcp", fluentdPort)
	if err != nil {
		return nil, fmt.Errorf("invalid fluentd-address %s: %w", text, err)
	}
	switch d.to = (address{network: scheme, at: at}); scheme {
	case "tcp", "unix":
	case "tls":
		d.to.network, d.to.secure = "tcp", &tlsFiles{}
	default:
		return nil, fmt.Errorf("invalid fluentd-address %s: unsupported scheme '%s'", text, scheme)
	}
	if d.tag, err = Tag(options, &f); err != nil {
		return nil, err
	}
	record := map[string]string{"container_id": f.ID, "container_name": "/" + f.Name}
	maps.Copy(record, f.Extra)
	delete(record, "source")
	delete(record, "log")
	for _, k := range slices.Sorted(maps.Keys(record)) {
		d.fields = append(d.fields, string(appendString(appendString(nil, k), record[k])))
	}
	d.count, d.stream.to = len(record), &d.to
	return d, nil
}

// checkFluentdNumbers: lines wait on the node's disk and are sent until they are taken, so nothing is made of these but that they
// are well formed.
func checkFluentdNumbers(options map[string]string) error {
	if s := options["fluentd-buffer-limit"]; s != "" {
		if _, err := ParseSize(s); err != nil {
			return err
		}
	}
	for _, name := range []string{"fluentd-retry-wait", "fluentd-async-reconnect-interval", "fluentd-write-timeout", "fluentd-read-timeout"} {
		if s := options[name]; s != "" {
			if _, err := time.ParseDuration(s); err != nil {
				return err
			}
		}
	}
	if s := options["fluentd-max-retries"]; s != "" {
		if _, err := strconv.ParseUint(s, 10, strconv.IntSize); err != nil {
			return err
		}
	}
	return nil
}

func (d *fluentd) Connect(ctx context.Context) error {
	if err := d.stream.connect(ctx, !d.acks); err != nil && !d.async {
		return err
	}
	return nil
}

func (d *fluentd) Send(ctx context.Context, messages []Message) error {
	switch {
	case len(messages) == 0 && d.acks:
		return nil
	case len(messages) == 0:
		return d.stream.settle(ctx)
	case !d.acks:
		return d.stream.send(ctx, d.forward(messages, ""))
	}
	chunk := rand.Text()
	if err := d.stream.connect(ctx, false); err != nil {
		return err
	}
	err := d.stream.write(ctx, d.forward(messages, chunk))
	if err == nil {
		err = d.awaitAck(ctx, chunk)
	}
	if err != nil {
		d.stream.drop(err)
	}
	return err
}

func (d *fluentd) awaitAck(ctx context.Context, chunk string) error {
	conn := d.stream.conn
	if err := conn.SetReadDeadline(time.Now().Add(ackWithin)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	got, err := readAck(conn)
	if err == nil && got != chunk {
		err = fmt.Errorf("the receiver acknowledged %q, not %q", got, chunk)
	}
	if err != nil {
		return fmt.Errorf("await acknowledgement: %w", err)
	}
	return nil
}

// forward is a message of the protocol's mode Forward: [tag, [[time, record], ...], options].
func (d *fluentd) forward(messages []Message, chunk string) []byte {
	b := appendString(appendArray(nil, 3), d.tag)
	b = appendArray(b, len(messages))
	for i := range messages {
		b = d.appendEntry(b, &messages[i])
	}
	if chunk == "" {
		return appendInt(appendString(appendMap(b, 1), "size"), int64(len(messages)))
	}
	b = appendInt(appendString(appendMap(b, 2), "size"), int64(len(messages)))
	return appendString(appendString(b, "chunk"), chunk)
}

func (d *fluentd) appendEntry(b []byte, m *Message) []byte {
	b = appendArray(b, 2)
	if d.precise {
		b = appendEventTime(b, m.Time)
	} else {
		b = appendInt(b, m.Time.Unix())
	}
	n := d.count + 2
	if m.Partial != nil {
		n += partialFields
	}
	b = appendMap(b, n)
	for _, f := range d.fields {
		b = append(b, f...)
	}
	b = appendString(appendString(b, "source"), m.Stream)
	b = appendString(appendString(b, "log"), m.Line)
	if p := m.Partial; p != nil {
		b = appendString(appendString(b, "partial_message"), "true")
		b = appendString(appendString(b, "partial_id"), p.ID)
		b = appendString(appendString(b, "partial_ordinal"), strconv.Itoa(p.Ordinal))
		b = appendString(appendString(b, "partial_last"), strconv.FormatBool(p.Last))
	}
	return b
}

func (d *fluentd) Close() error { return d.stream.close() }
