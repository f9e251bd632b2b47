package server_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/roadstead/roadstead/server"
)

// [D] The root user's federated users may do what their session's policies allow, and nothing without; IAM is not theirs, and their
// time is an hour at most.
func TestFederationOfTheRootUser(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	root := as(s, "root", "secret", "")
	federate := func(policy *string) somebody {
		t.Helper()
		out, err := root.sts.GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("guest"), Policy: policy})
		ok(t, err)
		return as(s, *out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	}
	guest := federate(aws.String(document(statement("Allow", "ecs:ListClusters iam:ListUsers", "*", ""))))
	_, err := guest.ecs.ListClusters(t.Context(), nil)
	ok(t, err)
	_, err = guest.ecs.CreateCluster(t.Context(), nil)
	refused(t, err, "AccessDeniedException", "User: arn:aws:sts::000000000000:federated-user/guest is not authorized to perform: ecs:CreateCluster")
	_, err = guest.iam.ListUsers(t.Context(), nil)
	refused(t, err, "InvalidClientTokenId", "The security token included in the request is invalid")
	_, err = federate(nil).ecs.ListClusters(t.Context(), nil)
	refused(t, err, "AccessDeniedException", "federated-user/guest")
	_, err = root.sts.GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("guest"), DurationSeconds: aws.Int32(3601)})
	refused(t, err, "ValidationError", "Member must have value less than or equal to 3600")
}
