package acs

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ProxyConfiguration has what a task in mode awsvpc sends and gets pass through one of its containers (AGENT-PROTOCOL §1.2).
type ProxyConfiguration struct {
	Type       string            `json:"type"` // ProxyAppMesh
	Container  string            `json:"containerName"`
	Properties map[string]string `json:"properties"`
}

// ProxyAppMesh is the one type of a ProxyConfiguration.
const ProxyAppMesh = "APPMESH"

// Redirection is what a ProxyConfiguration's properties say, as ECS's documentation has it [D]: TCP connections to AppPorts that come
// from elsewhere go to Ingress, those that leave the task to Egress; but not what the proxy itself sends, by its user or group, nor
// what goes to an ignored address or port.
type Redirection struct {
	Ingress      uint16         `json:"ingress"`
	Egress       uint16         `json:"egress"`
	AppPorts     []uint16       `json:"appPorts"`
	IgnoredUID   *uint32        `json:"ignoredUid,omitempty"`
	IgnoredGID   *uint32        `json:"ignoredGid,omitempty"`
	IgnoredIPs   []netip.Prefix `json:"ignoredIps,omitempty"`
	IgnoredPorts []uint16       `json:"ignoredPorts,omitempty"`
}

// Redirection reads the properties. The error names the one that is wrong or missing.
func (p *ProxyConfiguration) Redirection() (*Redirection, error) {
	r := &Redirection{}
	var err error
	for _, x := range []struct {
		name  string
		needs bool
		read  func(item string) error
	}{
		{"ProxyIngressPort", true, func(s string) (err error) { r.Ingress, err = port(s); return err }},
		{"ProxyEgressPort", true, func(s string) (err error) { r.Egress, err = port(s); return err }},
		{"AppPorts", true, func(s string) error { return each(s, &r.AppPorts, port) }},
		{"IgnoredUID", false, func(s string) (err error) { r.IgnoredUID, err = id(s); return err }},
		{"IgnoredGID", false, func(s string) (err error) { r.IgnoredGID, err = id(s); return err }},
		{"EgressIgnoredIPs", false, func(s string) error { return each(s, &r.IgnoredIPs, prefix) }},
		{"EgressIgnoredPorts", false, func(s string) error { return each(s, &r.IgnoredPorts, port) }},
	} {
		switch text := strings.TrimSpace(p.Properties[x.name]); {
		case text != "":
			if err = x.read(text); err != nil {
				return nil, fmt.Errorf("%s: %w", x.name, err)
			}
		case x.needs:
			return nil, fmt.Errorf("%s is missing", x.name)
		}
	}
	if r.IgnoredUID == nil && r.IgnoredGID == nil {
		return nil, fmt.Errorf("IgnoredUID or IgnoredGID is missing")
	}
	return r, nil
}

// each reads a list with commas.
func each[T any](text string, into *[]T, read func(string) (T, error)) error {
	for s := range strings.SplitSeq(text, ",") {
		v, err := read(strings.TrimSpace(s))
		if err != nil {
			return err
		}
		*into = append(*into, v)
	}
	return nil
}

func port(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no port", s)
	}
	return uint16(n), nil
}

func id(s string) (*uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%q is no user or group by its number", s)
	}
	v := uint32(n)
	return &v, nil
}

// prefix reads an address or a block of them. Tasks have addresses of IPv4 only.
func prefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if a, aerr := netip.ParseAddr(s); aerr == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil || !p.Addr().Is4() {
		return p, fmt.Errorf("%q is neither an IPv4 address nor a block of them", s)
	}
	return p.Masked(), nil
}
