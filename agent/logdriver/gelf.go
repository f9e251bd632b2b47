package logdriver

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strconv"
	"strings"
)

// gelf is the driver gelf: JSON, over UDP compressed and in chunks, over TCP with a zero byte behind each message.
type gelf struct {
	to       address
	host     string
	fields   map[string]any // that each message has
	compress string         // gzip, zlib or none
	level    int

	stream link
	packet net.Conn
}

// Sizes of GELF over UDP: a chunk is what fits into an Ethernet frame.
const (
	gelfChunk  = 1420
	gelfHeader = 12
	gelfChunks = 128
)

func newGELF(options map[string]string, f Facts) (*gelf, error) {
	d := &gelf{host: f.Host, compress: "gzip", level: gzip.BestSpeed}
	text := options["gelf-address"]
	if text == "" {
		return nil, errors.New("gelf-address is a required parameter")
	}
	if !strings.Contains(text, "://") {
		return nil, fmt.Errorf("gelf-address should be in form proto://address, got %v", text)
	}
	scheme, at, err := parseAddress(text, "udp", "")
	if err != nil {
		return nil, err
	}
	if scheme != "tcp" && scheme != "udp" {
		return nil, errors.New("gelf: endpoint needs to be TCP or UDP")
	}
	if strings.HasSuffix(at, ":") {
		return nil, errors.New("gelf: please provide gelf-address as proto://host:port")
	}
	d.to = address{network: scheme, at: at}
	d.stream.to = &d.to
	if err := d.readOptions(options); err != nil {
		return nil, err
	}
	name, err := Tag(options, &f)
	if err != nil {
		return nil, err
	}
	d.fields = map[string]any{
		"_container_id": f.ID, "_container_name": f.Name, "_image_id": f.ImageID, "_image_name": f.Image, "_command": f.Command, "_tag": name,
		"_created": f.Created,
	}
	for k, v := range f.Extra {
		if !strings.HasPrefix(k, "_") {
			k = "_" + k
		}
		d.fields[k] = v
	}
	return d, nil
}

func (d *gelf) readOptions(options map[string]string) error {
	for name, v := range options {
		udp := d.to.network == "udp"
		n, err := strconv.Atoi(v)
		bad := fmt.Errorf("unknown value %q for log opt %q for gelf log driver", v, name)
		switch name {
		case "gelf-compression-type":
			switch {
			case !udp:
				return errors.New("compression is only supported on UDP")
			case v != "gzip" && v != "zlib" && v != "none":
				return bad
			}
			d.compress = v
		case "gelf-compression-level":
			switch {
			case !udp:
				return errors.New("compression is only supported on UDP")
			case err != nil || n < gzip.DefaultCompression || n > gzip.BestCompression:
				return bad
			}
			d.level = n
		case "gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay": // messages are sent until they are taken
			switch {
			case udp:
				return fmt.Errorf("%q is only valid for TCP", name)
			case err != nil || n < 0:
				return fmt.Errorf("%q must be a positive integer", name)
			}
		}
	}
	return nil
}

func (d *gelf) Connect(ctx context.Context) (err error) {
	if d.to.network == "tcp" {
		return d.stream.connect(ctx, true)
	}
	if d.packet == nil {
		d.packet, err = d.to.dial(ctx)
	}
	return err
}

func (d *gelf) Send(ctx context.Context, messages []Message) error {
	var b []byte
	for i := range messages {
		if messages[i].Line == "" { // a message without a text is none
			continue
		}
		m, err := d.message(&messages[i])
		if err != nil {
			return err
		}
		if d.to.network == "tcp" {
			b = append(append(b, m...), 0)
		} else if err := d.sendPacket(ctx, m); err != nil {
			return err
		}
	}
	switch {
	case d.to.network != "tcp":
		return nil
	case len(b) == 0:
		return d.stream.settle(ctx)
	}
	return d.stream.send(ctx, b)
}

func (d *gelf) message(m *Message) ([]byte, error) {
	all := maps.Clone(d.fields)
	all["version"], all["host"], all["short_message"] = "1.1", d.host, m.Line
	all["timestamp"] = json.Number(strconv.FormatFloat(float64(m.Time.UnixMilli())/1000, 'f', 3, 64))
	all["level"] = severity(m.Stream)
	return json.Marshal(all)
}

// sendPacket sends a message, in chunks if it is longer than a packet.
func (d *gelf) sendPacket(ctx context.Context, m []byte) (err error) {
	if err := d.Connect(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil && d.packet != nil {
			d.packet.Close()
			d.packet = nil
		}
	}()
	if m, err = d.compressed(m); err != nil {
		return err
	}
	if len(m) <= gelfChunk {
		return sendPacket(ctx, d.packet, m)
	}
	const room = gelfChunk - gelfHeader
	n := (len(m) + room - 1) / room
	if n > gelfChunks {
		return &Refusal{fmt.Errorf("a GELF message of %d bytes is longer than %d chunks", len(m), gelfChunks)}
	}
	id := make([]byte, 8)
	_, _ = rand.Read(id)
	for i := range n {
		packet := append([]byte{0x1e, 0x0f}, id...)
		packet = append(packet, byte(i), byte(n))
		packet = append(packet, m[i*room:min((i+1)*room, len(m))]...)
		if err := sendPacket(ctx, d.packet, packet); err != nil {
			return err
		}
	}
	return nil
}

func (d *gelf) compressed(m []byte) ([]byte, error) {
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch d.compress {
	case "gzip":
		w, err = gzip.NewWriterLevel(&b, d.level)
	case "zlib":
		w, err = zlib.NewWriterLevel(&b, d.level)
	default:
		return m, nil
	}
	if err == nil {
		_, err = w.Write(m)
	}
	if err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}

func (d *gelf) Close() error {
	if d.packet != nil {
		return d.packet.Close()
	}
	return d.stream.close()
}
