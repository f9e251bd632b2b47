package server_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecrsdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/steady"
)

// ECR is served in further Regions, and nothing else is. What is pushed in the first is in the second by its digest, on every member
// that may lead next.
func TestImagesAreReplicatedToAnotherRegion(t *testing.T) {
	t.Parallel()
	store := state.NewMemory()
	s, stop := open(t, server.Config{Backend: store.Member(), ECRRegions: []string{"eu-west-1"}})
	second, _ := open(t, server.Config{Backend: store.Member(), ECRRegions: []string{"eu-west-1"}})
	await(t, dial(t, s, "root", "secret"), []string{s.URL(), second.URL()})
	who := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "root", SecretAccessKey: "secret"}, nil
	})
	in := func(s *server.Server, region string) *ecrsdk.Client {
		return ecrsdk.New(ecrsdk.Options{Region: region, BaseEndpoint: aws.String(s.URL()), Credentials: who, RetryMaxAttempts: 1, HTTPClient: steady.Client()})
	}
	_, err := in(s, "mars-1").DescribeRegistry(t.Context(), nil)
	refused(t, err, "InvalidSignatureException", "Credential should be scoped to a valid region, not 'mars-1'.")
	_, err = ecs.New(ecs.Options{Region: "eu-west-1", BaseEndpoint: aws.String(s.URL()), Credentials: who, RetryMaxAttempts: 1, HTTPClient: steady.Client()}).ListClusters(t.Context(), nil)
	refused(t, err, "InvalidSignatureException", "Credential should be scoped to a valid region, not 'eu-west-1'.")

	_, err = in(s, "us-east-1").PutReplicationConfiguration(t.Context(), &ecrsdk.PutReplicationConfigurationInput{ReplicationConfiguration: &ecrtypes.ReplicationConfiguration{
		Rules: []ecrtypes.ReplicationRule{{Destinations: []ecrtypes.ReplicationDestination{{Region: aws.String("eu-west-1"), RegistryId: aws.String("000000000000")}}}}}})
	ok(t, err)
	_, err = in(s, "us-east-1").CreateRepository(t.Context(), &ecrsdk.CreateRepositoryInput{RepositoryName: aws.String("web")})
	ok(t, err)
	_, cursor := s.DB().Watch()
	digest := push(t, s, "web:1").String()
	image := &ecrtypes.ImageIdentifier{ImageTag: aws.String("1")}
	for {
		out, err := in(s, "us-east-1").DescribeImageReplicationStatus(t.Context(), &ecrsdk.DescribeImageReplicationStatusInput{RepositoryName: aws.String("web"), ImageId: image})
		ok(t, err)
		if len(out.ReplicationStatuses) != 1 {
			t.Fatalf("%+v", out)
		}
		if out.ReplicationStatuses[0].Status == ecrtypes.ReplicationStatusComplete {
			break
		}
		_, err = cursor.Next(t.Context())
		ok(t, err)
	}
	for _, m := range []*server.Server{s, second} {
		if m == second {
			stop()
			ok(t, second.DB().AwaitLead(t.Context()))
		}
		out, err := in(m, "eu-west-1").BatchGetImage(t.Context(), &ecrsdk.BatchGetImageInput{RepositoryName: aws.String("web"), ImageIds: []ecrtypes.ImageIdentifier{*image}})
		ok(t, err)
		if len(out.Images) != 1 || *out.Images[0].ImageId.ImageDigest != digest {
			t.Errorf("in the other Region, at %s (first: %t): %+v %+v, want %s", m.URL(), m == s, out.Images, out.Failures, digest)
		}
	}
}
