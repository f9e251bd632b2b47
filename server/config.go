package server

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/roadstead/roadstead/state"
)

// Config is what a control-plane member needs to know.
type Config struct {
	DataDir string
	Listen  string // "127.0.0.1:4566"
	// Advertise is the URL at which agents and other members reach this one; "" means http://LISTEN.
	Advertise string
	// RegistryURL is where clients reach the registry if it has a name of its own, which stays when the leader changes (of a
	// load balancer, or of all members in DNS); "" means Advertise. Members must agree.
	RegistryURL string
	Region      string
	// ECRRegions are further Regions in which ECR is served, for images to be copied there. Members must agree.
	ECRRegions []string
	// Upstreams are registries from which pull through cache rules may fetch images, besides those that ECR knows: their URLs by host
	// names. Members must agree.
	Upstreams map[string]string
	// Account and its root key are created when they are missing.
	Account, RootKeyID, RootSecret string
	// SealKey is the file with the key that seals secrets, "" for none (seal.ReadKeys). Members must agree.
	SealKey string
	// IssuerURL is where others find the keys of tokens that say who users and roles are, if that is not Advertise; it counts for
	// issuers that are enabled from then on. Members should agree.
	IssuerURL string
	// DenyWideRoles: no task is started with a role that may do everything.
	DenyWideRoles bool
	// ImageScanner is the URL that is asked for vulnerabilities of images, "" for none.
	ImageScanner string
	// LogDestinations are beginnings of the http:// URLs that subscription filters of logs may send to; https:// ones all may be.
	LogDestinations []string
	// EtcdEndpoints are those of an external etcd; none means an embedded one.
	EtcdEndpoints []string
	// Member, PeerURL and InitialCluster ("a=http://10.0.0.1:2380,b=...") form an embedded cluster; without them the
	// embedded etcd is a single member that opens no port.
	Member, PeerURL, InitialCluster string
	// Backend, Listener and Peers, which passes requests on to the leader, replace etcd, the socket of Listen and
	// http.DefaultTransport where a simulation has its own. The server closes the first two.
	Backend  state.Backend
	Listener net.Listener
	Peers    http.RoundTripper
	// Dev allows resets, and creates the cluster "default".
	Dev bool
	Log *slog.Logger
	Now func() time.Time
}
