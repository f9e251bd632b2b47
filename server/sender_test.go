package server

import (
	"net/http"
	"net/url"
	"testing"
)

// [I] The leader believes an address that another member vouches for, with that request only.
func TestSender(t *testing.T) {
	s := &Server{cfg: Config{RootSecret: "secret"}}
	request := func(from, authorization string) *http.Request {
		return &http.Request{RemoteAddr: from, Header: http.Header{"Authorization": {authorization}}, URL: &url.URL{Path: "/", RawQuery: "a=b"}}
	}
	in, out := request("203.0.113.7:1234", "AWS4 one"), request("10.0.0.2:99", "AWS4 one")
	out.Header.Set(senderHeader, "192.0.2.1 made-up")
	if got := s.sender(out); got != "10.0.0.2" {
		t.Errorf("made up: %s", got)
	}
	s.vouch(in, out)
	if got := s.sender(out); got != "203.0.113.7" {
		t.Errorf("vouched for: %s", got)
	}
	other := request("10.0.0.3:1", "AWS4 two")
	other.Header.Set(senderHeader, out.Header.Get(senderHeader))
	if got := s.sender(other); got != "10.0.0.3" {
		t.Errorf("taken from another request: %s", got)
	}
}
