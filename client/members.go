package client

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
)

// members sends the requests of others to the member that its client speaks to.
type members struct{ client *Client }

// Members is a transport for requests that somebody else has signed: it replaces their URL's host by that of the member that the
// client speaks to, and leaves everything else, the Host header too. A member that cannot be reached is passed over for the next
// one; an answer is never asked for twice.
func (c *Client) Members() http.RoundTripper { return members{c} }

// Exact is a request's body that ends by itself after as many bytes as were announced, for a proxy. net/http looks for a surplus after
// them, and the proxy's own server has closed the body by then if the answer was quick: the transport would take that for a failure to
// send, and break off the answer in its middle. A body whose length is not known (n < 1) stays as it is.
func Exact(body io.ReadCloser, n int64) io.ReadCloser {
	if n < 1 {
		return body
	}
	return exactBody{io.LimitReader(body, n), body}
}

type exactBody struct {
	io.Reader
	io.Closer
}

// RoundTrip implements http.RoundTripper, but for closing the body, which is left to the server that it came by.
func (m members) RoundTrip(r *http.Request) (*http.Response, error) {
	var err error
	for range m.client.Endpoints() {
		at := m.client.endpoints.current()
		out := r.Clone(r.Context())
		out.URL.Scheme, out.URL.Host = at.Scheme, at.Host
		if r.Body != nil {
			out.Body = io.NopCloser(Exact(r.Body, r.ContentLength)) // not read unless the member was reached
		}
		var resp *http.Response
		if resp, err = m.client.http.Transport.RoundTrip(out); err == nil {
			if resp.StatusCode >= http.StatusInternalServerError {
				m.client.endpoints.failed(at)
			}
			return resp, nil
		}
		if !errors.Is(err, context.Canceled) {
			m.client.endpoints.failed(at)
		}
		if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" {
			break
		}
	}
	return nil, err
}
