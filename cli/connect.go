package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go"
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

// connectFlags adds the flags that say whom to call, and returns a function that connects as whom the environment says.
func connectFlags(cmd *cobra.Command) func() (*client.Client, error) {
	f := cmd.Flags()
	endpoint := f.String("endpoint", cmp.Or(os.Getenv("ROADSTEAD_ENDPOINT"), os.Getenv("AWS_ENDPOINT_URL"), defaultEndpoint), "URL of the control plane ($ROADSTEAD_ENDPOINT)")
	region := f.String("region", envRegion(), "Region ($AWS_REGION, that of the profile, or "+defaultRegion+")")
	return func() (*client.Client, error) {
		who, own, err := sender(cmd.Context(), *endpoint, *region)
		if err != nil {
			return nil, err
		}
		return client.New(client.Config{
			Endpoint: *endpoint, Region: own, Patience: -1, AccessKeyID: who.AccessKeyID, Secret: who.SecretAccessKey, Token: who.SessionToken,
		})
	}
}

func envRegion() string { return cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")) }

// sender is who calls, and the Region, if it is not known yet: as the aws command has it, of the environment's variables, else of the
// profile in ~/.aws/config and ~/.aws/credentials (AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE), else of the container that it runs in.
// A machine of EC2 is not asked; who has none of all this is a dev server's root user. So is who names neither a server nor a profile: the
// default profile of somebody who works with AWS, too, is not for the dev server on this machine.
func sender(ctx context.Context, endpoint, region string) (aws.Credentials, string, error) {
	id, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	known := aws.Credentials{AccessKeyID: cmp.Or(id, devKey), SecretAccessKey: cmp.Or(secret, devSecret), SessionToken: os.Getenv("AWS_SESSION_TOKEN")}
	given := id != "" || secret != ""
	dev := endpoint == defaultEndpoint && os.Getenv("AWS_PROFILE") == ""
	if dev || given && region != "" {
		return known, cmp.Or(region, defaultRegion), nil
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	if err != nil {
		return known, "", fmt.Errorf("read the configuration of the aws command: %w", err)
	}
	region = cmp.Or(region, cfg.Region, defaultRegion)
	if given {
		return known, region, nil
	}
	who, err := cfg.Credentials.Retrieve(ctx)
	if op, last := errors.AsType[*smithy.OperationError](err); last && op.ServiceID == "ec2imds" {
		return known, region, nil // whom the SDK would ask when there is nothing else
	}
	if err != nil {
		return known, "", fmt.Errorf("find credentials as the aws command does: %w", err)
	}
	return who, region, nil
}
