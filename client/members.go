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

// RoundTrip implements http.RoundTripper.
func (m members) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	var err error
	for range m.client.Endpoints() {
		at := m.client.endpoints.current()
		out := r.Clone(r.Context())
		out.URL.Scheme, out.URL.Host = at.Scheme, at.Host
		if r.Body != nil {
			out.Body = io.NopCloser(r.Body) // not read unless the member was reached
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
