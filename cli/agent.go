package cli

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/agent"
)

// defaultAgentDir is the data directory that an agent has when it is told none.
const defaultAgentDir = "/var/lib/roadstead/agent"

func newAgent() *cobra.Command {
	var cfg agent.Config
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run a node: join a cluster and run its tasks on this machine",
		Example: `  roadstead agent --server http://10.0.0.1:4566 --token "$(roadstead token create)" --zone b
  roadstead agent --server http://10.0.0.1:4566 --token $TOKEN --containerd /run/containerd/containerd.sock
  roadstead agent --server http://10.0.0.1:4566 --token $TOKEN --pool fargate`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Server, "server", defaultEndpoint, "URL of the control plane; several of its members, comma separated, or one that names the others")
	f.StringVar(&cfg.Token, "token", os.Getenv("ROADSTEAD_TOKEN"), "join token, from roadstead token create ($ROADSTEAD_TOKEN)")
	nodeFlags(cmd, &cfg, "")
	f.StringVar(&cfg.DataDir, "data-dir", defaultAgentDir, "where images, assignments and logs are kept")
	f.StringVar(&cfg.Name, "name", "node", "tells nodes of one machine apart")
	f.StringVar(&cfg.Zone, "zone", "a", "availability zone")
	f.StringVar(&cfg.Address, "address", "", "address at which published ports of this node are reached (default: that of the route to the server)")
	f.Int64Var(&cfg.CPU, "cpu", 0, "CPU units to offer (1024 = 1 vCPU; 0 = all)")
	f.Int64Var(&cfg.Memory, "memory", 0, "memory to offer, MiB (0 = all but 256)")
	f.StringVar(&cfg.Subnet, "subnet", "10.88.0.0/16", "addresses of tasks on this node")
	f.BoolVar(&cfg.Fargate, "fargate", false, "take FARGATE tasks, too")
	f.StringToStringVar(&cfg.Attributes, "attribute", nil, "custom attributes, NAME=VALUE")
	f.BoolVar(&cfg.StopTasks, "stop-tasks", false, "remove all containers when the agent ends (default: leave them running)")
	f.Int64Var(&cfg.Share, "share", 1, "offer only one part in so many of the machine's CPU and memory")
	leash := f.Bool("end-with-stdin", false, "end when standard input ends, as when the parent process dies")
	_ = f.MarkHidden("end-with-stdin") // for `roadstead dev`
	logger := logFlags(cmd, "info")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg.Log = logger()
		ctx := cmd.Context()
		a, err := agent.New(context.WithoutCancel(ctx), cfg) // whatever ends it: Run cleans up
		if err != nil {
			return err
		}
		if *leash {
			var stop context.CancelFunc
			ctx, stop = context.WithCancel(ctx)
			defer stop()
			go func() { // ends with the process at the latest
				_, _ = io.Copy(io.Discard, cmd.InOrStdin())
				stop()
			}()
		}
		return a.Run(ctx)
	}
	return cmd
}

// nodeFlags are those that `agent` and `dev` share.
func nodeFlags(cmd *cobra.Command, cfg *agent.Config, pool string) {
	f := cmd.Flags()
	f.StringVar(&cfg.Pool, "pool", pool, "pool to belong to: the Auto Scaling group's name of a capacity provider, or \"fargate\" to take FARGATE tasks only")
	f.StringVar(&cfg.Cluster, "cluster", "default", "cluster to join")
	f.StringVar(&cfg.Containerd, "containerd", "", "socket of a containerd that runs already (default: start a private one)")
	f.StringVar(&cfg.Runtime, "runtime", "", "what runs containers, as containerd calls it, e.g. io.containerd.runsc.v1 (default: runc)")
	f.Uint32Var(&cfg.UserBase, "user-base", 0x40000000, "first of 65536 users of the machine that those of FARGATE tasks are; 0: they are the machine's own")
	f.StringArrayVar(&cfg.GPUs, "gpu", nil, "GPU to offer, ID=DEVICE[,DEVICE...]; repeat for more (default: those of NVIDIA's driver)")
	f.StringArrayVar(&cfg.EFS, "efs", nil, "directory that is an EFS file system, fs-12345=/srv/data, or below which they lie by id; repeat for more")
	f.StringVar(&cfg.PullBehavior, "image-pull", "default", "when a registry is asked for an image that is here: default (and if it fails use what is here), always, once, prefer-cached")
	f.IntVar(&cfg.ImageHigh, "image-high", 85, "percent of the disk in use above which unused images are removed (100 = never)")
	f.IntVar(&cfg.ImageLow, "image-low", 80, "percent of the disk in use at which that ends")
	f.DurationVar(&cfg.ImageMinAge, "image-min-age", time.Hour, "how long an image stays after it was used last")
	f.DurationVar(&cfg.CleanupAfter, "cleanup-after", 0, "how long containers and logs of stopped tasks stay (0 = 3h)")
}
