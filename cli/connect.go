package cli

import (
	"cmp"
	"os"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/client"
)

// Defaults of a dev server, which every command assumes when nothing else is said.
const (
	defaultEndpoint = "http://127.0.0.1:4566"
	defaultRegion   = "us-east-1"
	defaultAccount  = "000000000000"
	devKey          = "test"
	devSecret       = "test"
)

// connectFlags adds the flags that say whom to call, and returns a function that connects as whom the environment says, as the AWS
// command line does.
func connectFlags(cmd *cobra.Command) func() (*client.Client, error) {
	f := cmd.Flags()
	endpoint := f.String("endpoint", cmp.Or(os.Getenv("ROADSTEAD_ENDPOINT"), os.Getenv("AWS_ENDPOINT_URL"), defaultEndpoint), "URL of the control plane ($ROADSTEAD_ENDPOINT)")
	region := f.String("region", cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), defaultRegion), "Region ($AWS_REGION)")
	return func() (*client.Client, error) {
		return client.New(client.Config{
			Endpoint: *endpoint, Region: *region, Patience: -1,
			AccessKeyID: cmp.Or(os.Getenv("AWS_ACCESS_KEY_ID"), devKey),
			Secret:      cmp.Or(os.Getenv("AWS_SECRET_ACCESS_KEY"), devSecret),
			Token:       os.Getenv("AWS_SESSION_TOKEN"),
		})
	}
}
