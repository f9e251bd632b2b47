package acs_test

import (
	"encoding/json"
	"testing"

	"github.com/roadstead/roadstead/acs"
)

func TestRedirection(t *testing.T) {
	for name, c := range map[string]struct{ properties, want string }{
		"all [D]": {`{"ProxyIngressPort":"15000","ProxyEgressPort":"15001","AppPorts":"8080, 9090","IgnoredUID":"1337","IgnoredGID":"1338","EgressIgnoredIPs":"169.254.170.2,10.1.2.3/8","EgressIgnoredPorts":"22"}`,
			`{"ingress":15000,"egress":15001,"appPorts":[8080,9090],"ignoredUid":1337,"ignoredGid":1338,"ignoredIps":["169.254.170.2/32","10.0.0.0/8"],"ignoredPorts":[22]}`},
		"lists may be empty [D]":      {`{"ProxyIngressPort":"1","ProxyEgressPort":"2","AppPorts":"3","IgnoredGID":"0","EgressIgnoredIPs":"","EgressIgnoredPorts":""}`, `{"ingress":1,"egress":2,"appPorts":[3],"ignoredGid":0}`},
		"nobody is ignored [D]":       {`{"ProxyIngressPort":"1","ProxyEgressPort":"2","AppPorts":"3"}`, "IgnoredUID or IgnoredGID is missing"},
		"no application [D]":          {`{"ProxyIngressPort":"1","ProxyEgressPort":"2","IgnoredUID":"1"}`, "AppPorts is missing"},
		"no proxy [D]":                {`{"ProxyIngressPort":"1","AppPorts":"3","IgnoredUID":"1"}`, "ProxyEgressPort is missing"},
		"a port that is none":         {`{"ProxyIngressPort":"70000","ProxyEgressPort":"2","AppPorts":"3","IgnoredUID":"1"}`, `ProxyIngressPort: "70000" is no port`},
		"an address that is none":     {`{"ProxyIngressPort":"1","ProxyEgressPort":"2","AppPorts":"3","IgnoredUID":"1","EgressIgnoredIPs":"::1"}`, `EgressIgnoredIPs: "::1" is neither an IPv4 address nor a block of them`},
		"a user by name, not number":  {`{"ProxyIngressPort":"1","ProxyEgressPort":"2","AppPorts":"3","IgnoredUID":"envoy"}`, `IgnoredUID: "envoy" is no user or group by its number`},
		"an empty place between them": {`{"ProxyIngressPort":"1","ProxyEgressPort":"2","AppPorts":"3,,4","IgnoredUID":"1"}`, `AppPorts: "" is no port`},
	} {
		p := acs.ProxyConfiguration{Type: acs.ProxyAppMesh}
		if err := json.Unmarshal([]byte(c.properties), &p.Properties); err != nil {
			t.Fatal(err)
		}
		r, err := p.Redirection()
		got, _ := json.Marshal(r)
		if err != nil {
			got = []byte(err.Error())
		}
		if string(got) != c.want {
			t.Errorf("%s\n got %s\nwant %s", name, got, c.want)
		}
	}
}
