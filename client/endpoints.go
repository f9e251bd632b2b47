package client

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// maxEndpoints bounds what a client learns: a control plane has five members at most.
const maxEndpoints = 16

// endpoints are the members of a control plane: any of them serves everything. A client stays with one until that fails.
type endpoints struct {
	configured []*url.URL // immutable

	mu  sync.Mutex
	all []*url.URL // in the order in which they are tried; guarded by mu
}

// parseEndpoints reads "http://HOST:PORT,..."; no two are the same.
func parseEndpoints(list string) ([]*url.URL, error) {
	var out []*url.URL
	for text := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSuffix(strings.TrimSpace(text), "/"))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("endpoint %q is not of the form http://HOST:PORT", text)
		}
		out = add(out, u)
	}
	return out, nil
}

// add appends those that are not there yet.
func add(to []*url.URL, us ...*url.URL) []*url.URL {
	for _, u := range us {
		if !slices.ContainsFunc(to, func(have *url.URL) bool { return have.String() == u.String() }) {
			to = append(to, u)
		}
	}
	return to
}

func (e *endpoints) current() *url.URL {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all[0]
}

// failed puts an endpoint behind the others, unless somebody has done so before.
func (e *endpoints) failed(u *url.URL) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all[0] == u {
		e.all = append(e.all[1:len(e.all):len(e.all)], u)
	}
}

// learn takes endpoints up behind the current one. Those that the configuration names are never forgotten, others are when
// there are too many.
func (e *endpoints) learn(us []*url.URL) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := add(e.all[:1:1], us...)
	all = add(all[:min(len(all), maxEndpoints)], e.configured...)
	for _, old := range e.all {
		if len(all) < maxEndpoints {
			all = add(all, old)
		}
	}
	e.all = all
}

// Endpoint is the base URL at which the control plane is called now, without a slash at its end.
func (c *Client) Endpoint() string { return c.endpoints.current().String() }

// Endpoints are all base URLs that the client knows, in the order in which it tries them.
func (c *Client) Endpoints() []string {
	c.endpoints.mu.Lock()
	defer c.endpoints.mu.Unlock()
	out := make([]string, len(c.endpoints.all))
	for i, u := range c.endpoints.all {
		out[i] = u.String()
	}
	return out
}

// Learn adds base URLs at which the control plane can be reached if the current one fails. What is no URL is skipped.
func (c *Client) Learn(urls ...string) {
	var us []*url.URL
	for _, text := range urls {
		if more, err := parseEndpoints(text); err == nil {
			us = add(us, more...)
		}
	}
	c.endpoints.learn(us)
}
