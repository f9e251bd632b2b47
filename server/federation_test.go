package server_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

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

// [D] A token lives no longer than the session that asks for it; tags in it need an action of their own, and all of it a limit.
func TestTokensOfSessions(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	root := as(s, "root", "secret", "")
	_, err := root.iam.EnableOutboundWebIdentityFederation(t.Context(), nil)
	ok(t, err)
	ann := user(t, s, root, "ann", document(statement("Allow", "sts:AssumeRole", "*", "")))
	role, err := root.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("app"), Path: aws.String("/team/"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}`)})
	ok(t, err)
	may := func(actions string) {
		t.Helper()
		_, err := root.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("app"), PolicyName: aws.String("p"), PolicyDocument: aws.String(document(statement("Allow", actions, "*", "")))})
		ok(t, err)
	}
	may("sts:GetWebIdentityToken")
	session, err := ann.sts.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: role.Role.Arn, RoleSessionName: aws.String("mine"), DurationSeconds: aws.Int32(900)})
	ok(t, err)
	app := as(s, *session.Credentials.AccessKeyId, *session.Credentials.SecretAccessKey, *session.Credentials.SessionToken)
	ask := func(change func(*sts.GetWebIdentityTokenInput)) (string, error) {
		in := &sts.GetWebIdentityTokenInput{Audience: []string{"us"}, SigningAlgorithm: aws.String("ES384")}
		change(in)
		out, err := app.sts.GetWebIdentityToken(t.Context(), in)
		if err != nil {
			return "", err
		}
		return *out.WebIdentityToken, nil
	}
	_, err = ask(func(in *sts.GetWebIdentityTokenInput) { in.DurationSeconds = aws.Int32(1800) })
	refused(t, err, "SessionDurationEscalationException", "beyond its original expiration")
	tagged := func(in *sts.GetWebIdentityTokenInput) {
		in.Tags = []ststypes.Tag{{Key: aws.String("job"), Value: aws.String("7")}}
	}
	_, err = ask(tagged)
	refused(t, err, "AccessDenied", "sts:TagGetWebIdentityToken")
	may("sts:GetWebIdentityToken sts:TagGetWebIdentityToken")
	token, err := ask(tagged)
	ok(t, err)
	var claims struct {
		Sub   string
		About struct {
			PrincipalID string            `json:"principal_id"`
			Tags        map[string]string `json:"request_tags"`
		} `json:"https://sts.amazonaws.com/"`
		Task any `json:"https://roadstead.dev/"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	ok(t, err)
	ok(t, json.Unmarshal(payload, &claims))
	if claims.Sub != "arn:aws:iam::000000000000:role/team/app" || claims.About.PrincipalID != claims.Sub || claims.About.Tags["job"] != "7" || claims.Task != nil {
		t.Errorf("it says %s", payload)
	}
	_, err = ask(func(in *sts.GetWebIdentityTokenInput) {
		in.Audience = nil
		for i := range 10 {
			in.Audience = append(in.Audience, strings.Repeat(string(rune('a'+i)), 1000))
		}
	})
	refused(t, err, "JWTPayloadSizeExceededException", "8192 bytes")
}
