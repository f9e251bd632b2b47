package logdriver

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// journald is the driver journald: one packet of fields a line, to the journal's own socket.
type journald struct {
	to     address
	fields []byte // that each entry has
	conn   net.Conn
}

// journalSocket is where journald listens.
const journalSocket = "/run/systemd/journal/socket"

func newJournald(options map[string]string, f Facts) (*journald, error) {
	name, err := Tag(options, &f)
	if err != nil {
		return nil, err
	}
	fields := map[string]string{
		"CONTAINER_ID": short(f.ID), "CONTAINER_ID_FULL": f.ID, "CONTAINER_NAME": f.Name, "CONTAINER_TAG": name, "IMAGE_NAME": f.Image,
		"SYSLOG_IDENTIFIER": name,
	}
	for k, v := range f.Extra {
		if k = journalField(k); k != "" {
			fields[k] = v
		}
	}
	d := &journald{to: address{network: "unixgram", at: journalSocket}}
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		d.fields = appendField(d.fields, k, fields[k])
	}
	return d, nil
}

// journalField makes a name that the journal takes: letters, digits and underscores, of which the first is none.
func journalField(name string) string {
	return strings.TrimLeft(strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(name)), "_")
}

// appendField adds a field; a value of several lines has its length before.
func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	if !strings.Contains(value, "\n") {
		b = append(b, '=')
		return append(append(b, value...), '\n')
	}
	b = append(b, '\n')
	b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	return append(append(b, value...), '\n')
}

func (d *journald) Connect(ctx context.Context) error {
	if d.conn != nil {
		return nil
	}
	c, err := d.to.dial(ctx)
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("journald is not enabled on this host") // Docker's text
	}
	d.conn = c
	return err
}

func (d *journald) Send(ctx context.Context, messages []Message) error {
	if len(messages) == 0 {
		return nil
	}
	if err := d.Connect(ctx); err != nil {
		return err
	}
	for i := range messages {
		if err := sendPacket(ctx, d.conn, d.entry(&messages[i])); err != nil {
			d.conn.Close()
			d.conn = nil
			return err
		}
	}
	return nil
}

func (d *journald) entry(m *Message) []byte {
	b := appendField(slices.Clone(d.fields), "PRIORITY", strconv.Itoa(severity(m.Stream)))
	b = appendField(b, "SYSLOG_TIMESTAMP", m.Time.Format(time.RFC3339Nano))
	if p := m.Partial; p != nil {
		if !p.Last {
			b = appendField(b, "CONTAINER_PARTIAL_MESSAGE", "true")
		}
		b = appendField(b, "CONTAINER_PARTIAL_ID", p.ID)
		b = appendField(b, "CONTAINER_PARTIAL_ORDINAL", strconv.Itoa(p.Ordinal))
		b = appendField(b, "CONTAINER_PARTIAL_LAST", strconv.FormatBool(p.Last))
	}
	return appendField(b, "MESSAGE", m.Line)
}

func (d *journald) Close() error {
	if d.conn != nil {
		return d.conn.Close()
	}
	return nil
}
