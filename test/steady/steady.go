// Package steady is the HTTP client of tests that call a server of this machine with the AWS SDK and see each call's first answer.
//
// The SDK (smithy-go 1.28) closes a request's body as soon as it has the answer; if the server was quick, net/http is still looking
// whether the body has a surplus, gets an error, and breaks the connection off with the answer half read. The SDK's own retries
// hide that. Here bodies are in memory, and closing them does nothing.
//
// It must not retry, nor change what is sent.
package steady

import (
	"bytes"
	"io"
	"net/http"
)

// Transport sends bodies of its own over Base.
type Transport struct{ Base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return t.Base.RoundTrip(r)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	out := r.Clone(r.Context())
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	return t.Base.RoundTrip(out)
}

// CloseIdleConnections closes those of Base.
func (t Transport) CloseIdleConnections() {
	if c, ok := t.Base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Client returns a client over the default transport.
func Client() *http.Client { return &http.Client{Transport: Transport{http.DefaultTransport}} }
