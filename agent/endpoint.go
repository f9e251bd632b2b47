package agent

import (
	"context"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/roadstead/roadstead/agent/task"
)

// endpointVariable is where the SDKs look for the endpoint of all services.
const endpointVariable = "AWS_ENDPOINT_URL"

// tellEndpoint tells a container where the control plane's API is, unless its task says that itself, or its cluster that none is
// to be told: what it calls with the credentials of its role reaches Roadstead without configuration.
func (a *Agent) tellEndpoint(spec *task.ContainerSpec) {
	if spec.Task.NoEndpoint || spec.Task.NetworkMode == "none" {
		return
	}
	if _, said := spec.Environment[endpointVariable]; !said {
		spec.Environment[endpointVariable] = "http://" + a.network.EndpointHost(spec.Task.NetworkMode)
	}
}

// serveEndpoint passes on to the control plane what tasks ask of it, until ctx ends. Nothing is changed or added, so that what a task
// has signed stays signed; the address that the control plane sees is the node's, as with a NAT gateway.
func (a *Agent) serveEndpoint(ctx context.Context) error {
	return a.serveTasks(ctx, a.network.Endpoint(), &http.Server{
		Handler: a.passOn(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
	})
}

// passOn is a reverse proxy to the member that the node itself speaks to. A request that never got there is tried at the next one.
func (a *Agent) passOn() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "roadstead" // any: members says where
			r.Out.Host = r.In.Host
			r.Out.Header = r.In.Header.Clone()
		},
		Transport:     a.client.Members(),
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			a.cfg.Log.Warn("pass a task's call on", "err", err)
			w.Header().Set("Retry-After", "1")
			http.Error(w, "the control plane cannot be reached from this node", http.StatusServiceUnavailable)
		},
	}
}
