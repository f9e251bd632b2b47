package logdriver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// syslog is the driver syslog (RFC 3164, 5424, 5425).
type syslog struct {
	to       address // without a network: the node's own syslog
	facility int
	tag      string
	host     string
	format   string
	counted  bool // each message begins with its length, RFC 5425

	stream link
	packet net.Conn // of networks without connections
}

// Severities of what containers write to their streams, as Docker has them.
const (
	severityError = 3
	severityInfo  = 6
)

func severity(stream string) int {
	if stream == stderr {
		return severityError
	}
	return severityInfo
}

// Forms of a message's time.
const (
	stampMicro = "2006-01-02T15:04:05.000000Z07:00"
	microForm  = "rfc5424micro"
)

func newSyslog(options map[string]string, f Facts) (*syslog, error) {
	d := &syslog{host: f.Host, format: options["syslog-format"]}
	var err error
	if d.to, err = syslogAddress(options); err != nil {
		return nil, err
	}
	if d.facility, err = facility(options["syslog-facility"]); err != nil {
		return nil, err
	}
	if d.tag, err = Tag(options, &f); err != nil {
		return nil, err
	}
	switch d.format {
	case "", "rfc3164":
	case "rfc5424", microForm:
		d.counted = d.to.secure != nil
	default:
		return nil, errors.New("Invalid syslog format") // Docker's text
	}
	d.stream.to = &d.to
	return d, nil
}

func syslogAddress(options map[string]string) (address, error) {
	text := options["syslog-address"]
	if text == "" {
		return address{}, nil
	}
	if !strings.Contains(text, "://") {
		return address{}, fmt.Errorf("syslog-address should be in form proto://address, got %v", text)
	}
	scheme, at, err := parseAddress(text, "tcp", "514")
	if err != nil {
		return address{}, err
	}
	a := address{network: scheme, at: at}
	switch scheme {
	case "unix", "unixgram":
		if _, err := os.Stat(at); err != nil {
			return a, err
		}
	case "tcp", "udp":
	case "tcp+tls":
		_, skip := options["syslog-tls-skip-verify"]
		a.network = "tcp"
		a.secure = &tlsFiles{ca: options["syslog-tls-ca-cert"], cert: options["syslog-tls-cert"], key: options["syslog-tls-key"], skipVerify: skip}
	default:
		return a, fmt.Errorf("unsupported scheme: '%s'", scheme)
	}
	return a, nil
}

// facility reads a name or a number; the default is daemon.
func facility(text string) (int, error) {
	names := []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "", "", "", "",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
	if text == "" {
		text = "daemon"
	}
	for n, name := range names {
		if name != "" && (name == text || strconv.Itoa(n) == text) {
			return n, nil
		}
	}
	return 0, errors.New("invalid syslog facility")
}

// local are the sockets of the node's own syslog.
func local() []string { return []string{"/dev/log", "/var/run/syslog", "/var/run/log"} }

func (d *syslog) Connect(ctx context.Context) error {
	if d.packet != nil || d.stream.conn != nil {
		return nil
	}
	if d.to.network == "" {
		if err := d.findLocal(ctx); err != nil {
			return err
		}
	}
	if d.packets() {
		var err error
		if d.packet == nil {
			d.packet, err = d.to.dial(ctx)
		}
		return err
	}
	return d.stream.connect(ctx, true)
}

func (d *syslog) packets() bool { return d.to.network == "udp" || d.to.network == "unixgram" }

// findLocal looks for the node's own syslog, which takes packets on some systems and connections on others.
func (d *syslog) findLocal(ctx context.Context) error {
	for _, network := range []string{"unixgram", "unix"} {
		for _, path := range local() {
			a := address{network: network, at: path}
			if c, err := a.dial(ctx); err == nil {
				c.Close()
				d.to = a
				return nil
			}
		}
	}
	return errors.New("Unix syslog delivery error") // Docker's text
}

func (d *syslog) Send(ctx context.Context, messages []Message) error {
	if len(messages) == 0 {
		return d.stream.settle(ctx)
	}
	if err := d.Connect(ctx); err != nil {
		return err
	}
	if d.packets() {
		for i := range messages {
			if err := d.sendPacket(ctx, d.appendMessage(nil, &messages[i])); err != nil {
				return err
			}
		}
		return nil
	}
	var b []byte
	for i := range messages {
		b = d.appendMessage(b, &messages[i])
	}
	return d.stream.send(ctx, b)
}

func (d *syslog) sendPacket(ctx context.Context, b []byte) error {
	err := sendPacket(ctx, d.packet, b)
	if err != nil {
		d.packet.Close()
		d.packet = nil
	}
	return err
}

// sendPacket sends over a protocol without answers. That nobody listened to an earlier packet is no failure of this one.
func sendPacket(ctx context.Context, c net.Conn, b []byte) error {
	if err := c.SetWriteDeadline(time.Now().Add(dialWithin)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := c.Write(b)
	if errors.Is(err, syscall.ECONNREFUSED) && c.RemoteAddr().Network() == "udp" {
		_, err = c.Write(b)
		if errors.Is(err, syscall.ECONNREFUSED) {
			err = nil
		}
	}
	return err
}

// appendMessage adds a message with its end of line, and if the protocol wishes it its length before.
func (d *syslog) appendMessage(dst []byte, m *Message) []byte {
	var b bytes.Buffer
	priority := d.facility*8 + severity(m.Stream)
	switch d.format {
	case "":
		fmt.Fprintf(&b, "<%d>%s %s[%d]: %s\n", priority, m.Time.Format(time.Stamp), d.tag, os.Getpid(), m.Line)
	case "rfc3164":
		fmt.Fprintf(&b, "<%d>%s %s %s[%d]: %s\n", priority, m.Time.Format(time.Stamp), d.host, d.tag, os.Getpid(), m.Line)
	default:
		form := time.RFC3339
		if d.format == microForm {
			form = stampMicro
		}
		fmt.Fprintf(&b, "<%d>1 %s %s %s %d %s - %s\n", priority, m.Time.Format(form), d.host, d.tag, os.Getpid(), d.tag, m.Line)
	}
	if d.counted {
		dst = append(strconv.AppendInt(dst, int64(b.Len()), 10), ' ')
	}
	return append(dst, b.Bytes()...)
}

func (d *syslog) Close() error {
	if d.packet != nil {
		return d.packet.Close()
	}
	return d.stream.close()
}
