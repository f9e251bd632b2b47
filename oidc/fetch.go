package oidc

import (
	"context"
	"crypto/sha1" // of thumbprints [D]; they only add to what chains of certificates say
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roadstead/roadstead/model"
)

// How long keys are believed, how soon they are fetched again if a token names one that is not among them or they could not be had,
// how long a fetch may take, and how large a document may be.
const (
	keysLife   = time.Hour
	fetchAgain = 10 * time.Second
	patience   = 5 * time.Second
	mostBytes  = 1 << 20
	mostIssuer = 1000 // issuers that are remembered
)

// keyCache remembers keys of issuers.
type keyCache struct {
	mu  sync.Mutex
	all map[string]*fetched // by issuer and thumbprints
}

// fetched are an issuer's keys. Whoever holds the lock fetches, others wait for him.
type fetched struct {
	mu   sync.Mutex
	keys *JWKS
	err  error
	at   time.Time
}

// get returns the keys of the provider, with the one of the id if it has it.
func (c *keyCache) get(ctx context.Context, p *Provider, id string, now time.Time) (*JWKS, error) {
	f := c.of(p)
	f.mu.Lock()
	defer f.mu.Unlock()
	lacks := f.err != nil || f.keys != nil && !slices.ContainsFunc(f.keys.Keys, func(k JWK) bool { return id == "" || k.ID == id })
	age := now.Sub(f.at)
	if f.at.IsZero() || age >= keysLife || lacks && age >= fetchAgain {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // others wait for it, too
		defer cancel()
		f.keys, f.err = fetch(ctx, p, now)
		f.at = now
	}
	return f.keys, f.err
}

func (c *keyCache) of(p *Provider) *fetched {
	name := p.Issuer + " " + strings.Join(p.Thumbprints, " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= mostIssuer {
		c.all = map[string]*fetched{}
	}
	f := c.all[name]
	if f == nil {
		f = &fetched{}
		c.all[name] = f
	}
	return f
}

// fetch gets an issuer's document, and the keys that it names.
func fetch(ctx context.Context, p *Provider, now time.Time) (*JWKS, error) {
	t := &http.Transport{DialTLSContext: (&trust{p.Thumbprints, now}).dial, DisableKeepAlives: true}
	defer t.CloseIdleConnections()
	c := &http.Client{Transport: t, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" || len(via) > 3 {
			return errors.New("a redirect that is not followed")
		}
		return nil
	}}
	var d Discovery
	if err := read(ctx, c, strings.TrimSuffix(p.Issuer, "/")+DiscoveryPath, &d); err != nil {
		return nil, explain(err)
	}
	if d.Issuer != p.Issuer { // it could be anybody's
		return nil, errNoKey()
	}
	var keys JWKS
	if err := read(ctx, c, d.KeysURL, &keys); err != nil {
		return nil, explain(err)
	}
	return &keys, nil
}

// statusError is an answer that is no document.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("status %d", int(s)) }

var errThumbprint = errors.New("no certificate of the chain is trusted")

// explain says whether another try may help.
func explain(err error) error {
	var status statusError
	var network *net.OpError
	switch {
	case errors.Is(err, errThumbprint):
		return model.Errorf(codeInvalid, "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint") // [O]
	case errors.As(err, &status) && status >= 500, errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return model.Errorf(codeAway, "The identity provider could not be reached.") // [I]
	}
	return errNoKey()
}

func read(ctx context.Context, c *http.Client, from string, into any) error {
	if u, err := url.Parse(from); err != nil || u.Scheme != "https" {
		return fmt.Errorf("%q is no URL of https", from)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return statusError(resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, mostBytes+1))
	if err != nil {
		return err
	}
	if len(b) > mostBytes {
		return errors.New("the document is too large")
	}
	return json.Unmarshal(b, into)
}

// trust believes chains that end at an authority which the machine knows, or in which a certificate has one of the thumbprints.
type trust struct {
	thumbprints []string
	now         time.Time
}

func (t *trust) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := &tls.Dialer{Config: &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: host,
		InsecureSkipVerify: true, // verify does it, with the thumbprints
		VerifyConnection:   func(s tls.ConnectionState) error { return t.verify(host, s.PeerCertificates) },
	}}
	return d.DialContext(ctx, network, address)
}

func (t *trust) verify(host string, chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errThumbprint
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	believe := func(roots *x509.CertPool) bool {
		_, err := chain[0].Verify(x509.VerifyOptions{DNSName: host, Intermediates: between, Roots: roots, CurrentTime: t.now})
		return err == nil
	}
	if believe(nil) {
		return nil
	}
	for _, c := range chain {
		sum := sha1.Sum(c.Raw)
		named := slices.ContainsFunc(t.thumbprints, func(p string) bool { return strings.EqualFold(p, hex.EncodeToString(sum[:])) })
		roots := x509.NewCertPool()
		roots.AddCert(c)
		if named && believe(roots) {
			return nil
		}
	}
	return errThumbprint
}
