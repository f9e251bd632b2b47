package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// awsCalls are the calls that aws=NAME makes, as programs do that were told nothing: the SDK finds endpoint, Region and credentials
// by itself.
var awsCalls = map[string]func(context.Context) (string, error){
	"identity": func(ctx context.Context) (string, error) {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return "", err
		}
		out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
		if err != nil {
			return "", err
		}
		return *out.Arn, nil
	},
	// vouched becomes the role of AWS_ROLE_ARN by the token in AWS_WEB_IDENTITY_TOKEN_FILE. The SDK would do it by itself, and ask
	// the real STS whatever AWS_ENDPOINT_URL says.
	"vouched": func(ctx context.Context) (string, error) {
		cfg, err := config.LoadDefaultConfig(ctx, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
		if err != nil {
			return "", err
		}
		file := stscreds.IdentityTokenFile(os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"))
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(cfg), os.Getenv("AWS_ROLE_ARN"), file))
		out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
		if err != nil {
			return "", err
		}
		return *out.Arn, nil
	},
	"clusters": func(ctx context.Context) (string, error) {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return "", err
		}
		out, err := ecs.NewFromConfig(cfg).ListClusters(ctx, &ecs.ListClustersInput{})
		if err != nil {
			return "", err
		}
		return fmt.Sprint(out.ClusterArns), nil
	},
}

// callAWS prints what a call was answered, or its error.
func callAWS(name string) error {
	call, ok := awsCalls[name]
	if !ok {
		return fmt.Errorf("unknown call")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	answer, err := call(ctx)
	if err != nil {
		answer = "error: " + err.Error()
	}
	fmt.Println(answer)
	return nil
}
