package cli

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/roadstead/roadstead/server"
)

func newServer() *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run a member of the control plane",
		Long: `Run one member of the control plane. A single member keeps its state in an etcd of its own under --data-dir. Three or
five members form an etcd cluster with --member, --peer-url and --initial-cluster, or share an external etcd with
--etcd-endpoints; one leads, and the others pass requests on to it.

The root access key comes from $ROADSTEAD_ROOT_KEY_ID and $ROADSTEAD_ROOT_SECRET.`,
		Example: `  ROADSTEAD_ROOT_KEY_ID=AKROOT ROADSTEAD_ROOT_SECRET=... roadstead server --listen 10.0.0.1:4566

  roadstead server --listen 10.0.0.1:4566 --member a --peer-url http://10.0.0.1:2380 \
      --initial-cluster a=http://10.0.0.1:2380,b=http://10.0.0.2:2380,c=http://10.0.0.3:2380`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&cfg.DataDir, "data-dir", "/var/lib/roadstead/server", "where state and images are kept")
	f.StringVar(&cfg.Listen, "listen", "127.0.0.1:4566", "address to listen on")
	f.StringVar(&cfg.Advertise, "advertise", "", "URL at which agents and other members reach this one (default http://LISTEN)")
	f.StringVar(&cfg.RegistryURL, "registry-url", "", "URL at which clients reach the registry whoever leads: of a load balancer, or a name of all members")
	f.StringVar(&cfg.Region, "region", defaultRegion, "Region of this control plane")
	f.StringVar(&cfg.Account, "account", defaultAccount, "account to create, 12 digits")
	f.StringVar(&cfg.SealKey, "seal-key", "", "file with the key that seals secrets, 64 hex digits, the same for all members (default: DATA_DIR/seal.key, or derived from the root secret if there are others)")
	f.StringVar(&cfg.IssuerURL, "issuer-url", "", "URL at which others find the keys of web identity tokens: this server's under a public name, or that of a copy of its documents (default: that of --advertise)")
	f.BoolVar(&cfg.DenyWideRoles, "deny-wide-roles", false, "start no tasks with roles that allow every action on every resource, and register no definitions with them (they are warned of in any case: roadstead report roles)")
	outsideFlags(f, &cfg)
	f.StringSliceVar(&cfg.EtcdEndpoints, "etcd-endpoints", nil, "external etcd to use instead of an embedded one")
	f.StringVar(&cfg.Member, "member", "", "name of this member in --initial-cluster")
	f.StringVar(&cfg.PeerURL, "peer-url", "", "URL at which the etcd of other members reaches this one's")
	f.StringVar(&cfg.InitialCluster, "initial-cluster", "", "all members, NAME=PEER_URL,...")
	logger := logFlags(cmd, "info")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg.Log = logger()
		cfg.RootKeyID, cfg.RootSecret = os.Getenv("ROADSTEAD_ROOT_KEY_ID"), os.Getenv("ROADSTEAD_ROOT_SECRET")
		if cfg.RootKeyID == "" || cfg.RootSecret == "" {
			return fmt.Errorf("set ROADSTEAD_ROOT_KEY_ID and ROADSTEAD_ROOT_SECRET: the root access key of account %s", cmp.Or(cfg.Account, defaultAccount))
		}
		s, err := server.Open(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		done := make(chan error, 1)
		go func() { done <- Paced(cmd.Context(), s.Run) }()
		if s.Ready(cmd.Context()) == nil {
			fmt.Fprintln(cmd.OutOrStdout(), "ready", s.URL())
		}
		return <-done
	}
	return cmd
}

// outsideFlags are those of what a control plane reaches outside of it, which `dev` has too.
func outsideFlags(f *pflag.FlagSet, cfg *server.Config) {
	f.StringToStringVar(&cfg.Upstreams, "upstream-registry", nil, "registry that pull through cache rules may name besides those that ECR knows, HOST=URL; repeat for more")
	f.StringSliceVar(&cfg.ECRRegions, "ecr-regions", nil, "further Regions in which ECR is served, to which images can be replicated")
	f.StringVar(&cfg.ImageScanner, "image-scanner", "", "URL that finds vulnerabilities of images (docs/image-scanner.md); none are scanned without it")
	f.StringSliceVar(&cfg.LogDestinations, "log-destinations", nil, "beginnings of the http:// URLs that subscription filters of logs may send to; they may send to https:// ones without")
}
