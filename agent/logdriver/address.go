package logdriver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// address is where a receiver listens.
type address struct {
	network string // tcp, udp, unix, unixgram
	at      string // host:port, or a path
	secure  *tlsFiles
}

// tlsFiles is how a connection with TLS knows its receiver, and says who it is. Files are read when it is made.
type tlsFiles struct {
	ca, cert, key string
	name          string // of the receiver; "" is the address's
	skipVerify    bool
}

// config reads the files.
func (t *tlsFiles) config() (*tls.Config, error) {
	c := &tls.Config{ServerName: t.name, InsecureSkipVerify: t.skipVerify} //nolint:gosec // the user's own option
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, fmt.Errorf("could not read CA certificate %q: %w", t.ca, err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("failed to append certificates from PEM file: %q", t.ca)
		}
	}
	if t.cert != "" || t.key != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, fmt.Errorf("could not load X509 key pair: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// parseAddress reads SCHEME://HOST[:PORT] or SCHEME://PATH; an address without a scheme has the fallback's.
func parseAddress(text, fallback string, port string) (scheme, at string, err error) {
	if !strings.Contains(text, "://") {
		text = fallback + "://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", "", err
	}
	if u.Scheme == "unix" || u.Scheme == "unixgram" {
		if u.Path == "" {
			return "", "", errors.New("the address has no path")
		}
		return u.Scheme, u.Path, nil
	}
	if u.Hostname() == "" {
		return "", "", errors.New("the address has no host")
	}
	if p := u.Port(); p != "" {
		port = p
	}
	return u.Scheme, net.JoinHostPort(u.Hostname(), port), nil
}

// dialWithin bounds the making of a connection.
const dialWithin = 10 * time.Second

// dial connects. The path of a unix socket may be longer than its address has room for: it is then named through /proc.
func (a *address) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	var d net.Dialer
	at := a.at
	if strings.HasPrefix(a.network, "unix") && len(at) > 100 {
		dir, err := os.Open(filepath.Dir(at))
		if err != nil {
			return nil, fmt.Errorf("dial %s %s: %w", a.network, at, unpath(err))
		}
		defer dir.Close()
		at = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(at))
	}
	if a.secure == nil {
		return d.DialContext(ctx, a.network, at)
	}
	config, err := a.secure.config()
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{NetDialer: &d, Config: config}).DialContext(ctx, a.network, at)
}

// unpath takes the path out of an error, which is no error of the log's own file.
func unpath(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
