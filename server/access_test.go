package server_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecrsdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/test/steady"
)

// somebody calls the services of a server with one set of credentials.
type somebody struct {
	iam *iam.Client
	sts *sts.Client
	ecs *ecs.Client
	ecr *ecrsdk.Client
	sec *secretsmanager.Client
}

func as(s *server.Server, id, secret, token string) somebody {
	who := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}, nil
	})
	url := aws.String(s.URL())
	return somebody{
		iam.New(iam.Options{Region: "us-east-1", BaseEndpoint: url, Credentials: who, RetryMaxAttempts: 1, HTTPClient: steady.Client()}),
		sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: url, Credentials: who, RetryMaxAttempts: 1, HTTPClient: steady.Client()}),
		ecs.New(ecs.Options{Region: "us-east-1", BaseEndpoint: url, Credentials: who, RetryMaxAttempts: 1, HTTPClient: steady.Client()}),
		ecrsdk.New(ecrsdk.Options{Region: "us-east-1", BaseEndpoint: url, Credentials: who, RetryMaxAttempts: 1, HTTPClient: steady.Client()}),
		secretsmanager.New(secretsmanager.Options{Region: "us-east-1", BaseEndpoint: url, Credentials: who, RetryMaxAttempts: 1, HTTPClient: steady.Client()}),
	}
}

// user makes an IAM user with an inline policy, and returns him.
func user(t *testing.T, s *server.Server, root somebody, name, document string) somebody {
	t.Helper()
	_, err := root.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name})
	ok(t, err)
	if document != "" {
		_, err = root.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: &document})
		ok(t, err)
	}
	key, err := root.iam.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	ok(t, err)
	return as(s, *key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// admitted checks that a task was refused by ECS itself, for there are no nodes: its caller may run it.
func admitted(t *testing.T, err error) {
	t.Helper()
	refused(t, err, "InvalidParameterException", "No Container Instances were found in your cluster.")
}

// refused checks an error's code, and that its message has a text.
func refused(t *testing.T, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("got %v\nwant %s: %s", err, code, text)
	}
}

func statement(effect, actions, resource, condition string) string {
	quoted := `"` + strings.ReplaceAll(actions, " ", `","`) + `"`
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Effect":"` + effect + `","Action":[` + quoted + `],"Resource":"` + resource + `"` + condition + `}`
}

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

const ecsARN = "arn:aws:ecs:us-east-1:000000000000:"

// [D] A user may do what his policies say, to what they say, and no more; the words are AWS's.
func TestLeastPrivilege(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	root := as(s, "root", "secret", "")
	_, err := root.ecs.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("other")})
	ok(t, err)
	_, err = root.ecs.RegisterTaskDefinition(t.Context(), definition("web", ""))
	ok(t, err)
	ann := user(t, s, root, "ann", document(
		statement("Allow", "ecs:RunTask", ecsARN+"task-definition/web:*", `{"ArnEquals":{"ecs:cluster":"`+ecsARN+`cluster/default"}}`)))

	run := func(who somebody, cluster string) error {
		_, err := who.ecs.RunTask(t.Context(), &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: aws.String("web")})
		return err
	}
	admitted(t, run(ann, "default"))
	admitted(t, run(ann, ecsARN+"cluster/default"))
	refused(t, run(ann, "other"), "AccessDeniedException", "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: ecs:RunTask on resource: "+
		ecsARN+"task-definition/web:1 because no identity-based policy allows the ecs:RunTask action")
	_, err = ann.ecs.ListClusters(t.Context(), nil)
	refused(t, err, "AccessDeniedException", "ecs:ListClusters on resource: * because no identity-based policy allows")
	_, err = ann.iam.ListUsers(t.Context(), nil)
	refused(t, err, "AccessDenied", "iam:ListUsers on resource: arn:aws:iam::000000000000:user/ because")
	_, err = ann.ecs.RunTask(t.Context(), &ecs.RunTaskInput{TaskDefinition: aws.String("web"), Tags: []ecstypes.Tag{{Key: aws.String("k")}}})
	refused(t, err, "AccessDeniedException", "ecs:TagResource on resource: "+ecsARN+"task/default/* because")
	id, err := ann.sts.GetCallerIdentity(t.Context(), nil)
	ok(t, err)
	if *id.Arn != "arn:aws:iam::000000000000:user/ann" || !strings.HasPrefix(*id.UserId, "AIDA") {
		t.Error(*id.Arn, *id.UserId)
	}

	// An explicit deny wins, and a boundary narrows.
	_, err = root.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("ann"), PolicyName: aws.String("deny"),
		PolicyDocument: aws.String(document(statement("Deny", "ecs:*", "*", "")))})
	ok(t, err)
	refused(t, run(ann, "default"), "AccessDeniedException", "with an explicit deny in an identity-based policy")
	_, err = root.iam.DeleteUserPolicy(t.Context(), &iam.DeleteUserPolicyInput{UserName: aws.String("ann"), PolicyName: aws.String("deny")})
	ok(t, err)
	_, err = root.iam.PutUserPermissionsBoundary(t.Context(), &iam.PutUserPermissionsBoundaryInput{
		UserName: aws.String("ann"), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/CloudWatchLogsFullAccess")})
	ok(t, err)
	refused(t, run(ann, "default"), "AccessDeniedException", "because no permissions boundary allows the ecs:RunTask action")

	// A key that is off, and one that is gone.
	keys, err := root.iam.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String("ann")})
	ok(t, err)
	_, err = root.iam.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: aws.String("ann"), AccessKeyId: keys.AccessKeyMetadata[0].AccessKeyId, Status: "Inactive"})
	ok(t, err)
	refused(t, run(ann, "default"), "UnrecognizedClientException", "The security token included in the request is invalid.")
}

func definition(family, role string) *ecs.RegisterTaskDefinitionInput {
	in := &ecs.RegisterTaskDefinitionInput{Family: &family, ContainerDefinitions: []ecstypes.ContainerDefinition{
		{Name: aws.String("c"), Image: aws.String("i"), Memory: aws.Int32(64)},
	}}
	if role != "" {
		in.TaskRoleArn = &role
	}
	return in
}

// [D] Who hands a role to a service has to be allowed to pass it, to that service.
func TestPassRole(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	root := as(s, "root", "secret", "")
	const role = "arn:aws:iam::000000000000:role/app"
	ann := user(t, s, root, "ann", document(statement("Allow", "ecs:*", "*", "")))
	ben := user(t, s, root, "ben", document(statement("Allow", "ecs:*", "*", ""),
		statement("Allow", "iam:PassRole", role, `{"StringEquals":{"iam:PassedToService":"ecs-tasks.amazonaws.com"}}`)))
	_, err := ann.ecs.RegisterTaskDefinition(t.Context(), definition("web", role))
	refused(t, err, "AccessDeniedException", "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: iam:PassRole on resource: "+role+
		" because no identity-based policy allows the iam:PassRole action")
	_, err = ben.ecs.RegisterTaskDefinition(t.Context(), definition("web", role))
	ok(t, err)
	_, err = ben.ecs.RegisterTaskDefinition(t.Context(), definition("web", "arn:aws:iam::000000000000:role/admin"))
	refused(t, err, "AccessDeniedException", "iam:PassRole on resource: arn:aws:iam::000000000000:role/admin")
	_, err = ann.ecs.RunTask(t.Context(), &ecs.RunTaskInput{TaskDefinition: aws.String("web")}) // of the definition [O]
	refused(t, err, "AccessDeniedException", "iam:PassRole on resource: "+role)
	run := func() error {
		_, err := ben.ecs.RunTask(t.Context(), &ecs.RunTaskInput{TaskDefinition: aws.String("web")})
		return err
	}
	const unassumable = "ECS was unable to assume the role '" + role + "' that was provided for this task. Please verify that the role being passed has the proper trust relationship"
	refused(t, run(), "ClientException", unassumable) // there is none [O]
	trust := func(service string) *string {
		return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole",
			"Condition":{"StringEquals":{"aws:SourceAccount":"000000000000"}}}]}`)
	}
	_, err = root.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: trust("ec2.amazonaws.com")})
	ok(t, err)
	refused(t, run(), "ClientException", unassumable) // it trusts somebody else
	_, err = root.iam.UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("app"), PolicyDocument: trust("ecs-tasks.amazonaws.com")})
	ok(t, err)
	admitted(t, run())
	_, err = ben.ecs.CreateService(t.Context(), &ecs.CreateServiceInput{ServiceName: aws.String("w"), TaskDefinition: aws.String("web"), Role: aws.String(role)})
	refused(t, err, "AccessDeniedException", "iam:PassRole on resource: "+role) // to ecs-tasks only
}

// [D] A session may do what its role may, as far as the session's policy allows it, until it is over; it outlives a restart.
func TestAssumeRole(t *testing.T) {
	dir := t.TempDir()
	s, stop := open(t, server.Config{Dev: true, DataDir: dir})
	root := as(s, "root", "secret", "")
	const arn = "arn:aws:iam::000000000000:role/ops/reader"
	ann := user(t, s, root, "ann", document(statement("Allow", "sts:AssumeRole sts:TagSession", arn, "")))
	bob := user(t, s, root, "bob", "")
	role := &iam.CreateRoleInput{RoleName: aws.String("reader"), Path: aws.String("/ops/"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"secret-word"}}}]}`)}
	_, err := root.iam.CreateRole(t.Context(), role)
	ok(t, err)
	_, err = root.iam.AttachRolePolicy(t.Context(), &iam.AttachRolePolicyInput{RoleName: role.RoleName, PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})
	ok(t, err)

	in := &sts.AssumeRoleInput{RoleArn: aws.String(arn), RoleSessionName: aws.String("mine")}
	_, err = ann.sts.AssumeRole(t.Context(), in)
	refused(t, err, "AccessDenied", "is not authorized to perform: sts:AssumeRole on resource: "+arn)
	in.ExternalId = aws.String("secret-word")
	_, err = bob.sts.AssumeRole(t.Context(), in)
	refused(t, err, "AccessDenied", "User: arn:aws:iam::000000000000:user/bob is not authorized to perform: sts:AssumeRole on resource: "+arn)
	_, err = root.sts.AssumeRole(t.Context(), in)
	refused(t, err, "AccessDenied", "Roles may not be assumed by root accounts.")
	_, err = ann.sts.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(arn + "s"), RoleSessionName: aws.String("mine")})
	refused(t, err, "AccessDenied", "sts:AssumeRole on resource: "+arn+"s")
	out, err := ann.sts.AssumeRole(t.Context(), in)
	ok(t, err)
	c := out.Credentials
	if *out.AssumedRoleUser.Arn != "arn:aws:sts::000000000000:assumed-role/reader/mine" || !strings.HasPrefix(*c.AccessKeyId, "ASIA") {
		t.Error(*out.AssumedRoleUser.Arn, *c.AccessKeyId)
	}
	reader := as(s, *c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	_, err = reader.ecs.ListClusters(t.Context(), nil)
	ok(t, err)
	_, err = reader.ecs.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("mine")})
	refused(t, err, "AccessDeniedException", "User: arn:aws:sts::000000000000:assumed-role/reader/mine is not authorized to perform: ecs:CreateCluster on resource: "+ecsARN+"cluster/mine")
	id, err := reader.sts.GetCallerIdentity(t.Context(), nil)
	ok(t, err)
	if *id.Arn != *out.AssumedRoleUser.Arn || *id.UserId != *out.AssumedRoleUser.AssumedRoleId {
		t.Error(*id.Arn, *id.UserId)
	}

	in.Policy = aws.String(document(statement("Allow", "ecs:DescribeClusters", "*", "")))
	in.Tags = []ststypes.Tag{{Key: aws.String("team"), Value: aws.String("a")}}
	_, err = ann.sts.AssumeRole(t.Context(), in)
	refused(t, err, "AccessDenied", "sts:TagSession") // the role does not trust him to tag
	in.Tags = nil
	out, err = ann.sts.AssumeRole(t.Context(), in)
	ok(t, err)
	narrow := as(s, *out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	_, err = narrow.ecs.DescribeClusters(t.Context(), nil)
	ok(t, err)
	_, err = narrow.ecs.ListClusters(t.Context(), nil)
	refused(t, err, "AccessDeniedException", "because no session policy allows the ecs:ListClusters action")

	// Another's token, and one that was changed.
	mixed := as(s, *c.AccessKeyId, *c.SecretAccessKey, *out.Credentials.SessionToken)
	_, err = mixed.ecs.ListClusters(t.Context(), nil)
	refused(t, err, "UnrecognizedClientException", "The security token included in the request is invalid.")
	_, err = as(s, *c.AccessKeyId, *c.SecretAccessKey, "").sts.GetCallerIdentity(t.Context(), nil)
	refused(t, err, "InvalidClientTokenId", "The security token included in the request is invalid")

	// A restart does not end it; its time does.
	stop()
	s, _ = open(t, server.Config{Dev: true, DataDir: dir})
	reader = as(s, *c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	_, err = reader.ecs.ListClusters(t.Context(), nil)
	ok(t, err)
	root = as(s, "root", "secret", "")
	_, err = root.iam.DetachRolePolicy(t.Context(), &iam.DetachRolePolicyInput{RoleName: role.RoleName, PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})
	ok(t, err)
	_, err = reader.ecs.ListClusters(t.Context(), nil)
	refused(t, err, "AccessDeniedException", "because no identity-based policy allows")
	_, err = root.iam.DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: role.RoleName})
	ok(t, err)
	_, err = root.iam.CreateRole(t.Context(), role) // another role with the name
	ok(t, err)
	_, err = reader.ecs.ListClusters(t.Context(), nil)
	refused(t, err, "UnrecognizedClientException", "The security token included in the request is invalid.")
}

// [D] A login of the registry may what the policies of who made it allow as calls of ECR, and ends with his session.
func TestRegistryAsksPolicies(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	root := as(s, "root", "secret", "")
	_, err := root.ecr.CreateRepository(t.Context(), &ecrsdk.CreateRepositoryInput{RepositoryName: aws.String("web")})
	ok(t, err)
	ann := user(t, s, root, "ann", document(statement("Allow", "ecr:GetAuthorizationToken", "*", ""),
		statement("Allow", "ecr:ListImages", "arn:aws:ecr:us-east-1:000000000000:repository/web", "")))
	login := func(who somebody) string {
		t.Helper()
		out, err := who.ecr.GetAuthorizationToken(t.Context(), nil)
		ok(t, err)
		return *out.AuthorizationData[0].AuthorizationToken
	}
	status := func(token, method, path string) int {
		t.Helper()
		r, _ := http.NewRequestWithContext(t.Context(), method, s.URL()+path, nil)
		r.Header.Set("Authorization", "Basic "+token)
		resp, err := http.DefaultClient.Do(r)
		ok(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	expect := func(token, method, path string, want int) {
		t.Helper()
		if got := status(token, method, path); got != want {
			t.Errorf("%s %s: %d, want %d", method, path, got, want)
		}
	}
	token := login(ann)
	expect(token, "GET", "/v2/", http.StatusOK)
	expect(token, "GET", "/v2/web/tags/list", http.StatusNotFound) // admitted: there are no images
	expect(token, "GET", "/v2/web/manifests/latest", http.StatusForbidden)
	expect(token, "POST", "/v2/web/blobs/uploads/", http.StatusForbidden)
	expect(token, "GET", "/v2/other/tags/list", http.StatusForbidden)
	expect(token, "GET", "/v2/_catalog", http.StatusForbidden)

	session, err := ann.sts.GetSessionToken(t.Context(), nil)
	ok(t, err)
	c := session.Credentials
	token = login(as(s, *c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken))
	expect(token, "GET", "/v2/web/tags/list", http.StatusNotFound)
	expect(token, "POST", "/v2/web/blobs/uploads/", http.StatusForbidden)
	keys, err := root.iam.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String("ann")})
	ok(t, err)
	_, err = root.iam.DeleteUserPolicy(t.Context(), &iam.DeleteUserPolicyInput{UserName: aws.String("ann"), PolicyName: aws.String("p")})
	ok(t, err)
	_, err = root.iam.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{UserName: aws.String("ann"), AccessKeyId: keys.AccessKeyMetadata[0].AccessKeyId})
	ok(t, err)
	_, err = root.iam.DeleteUser(t.Context(), &iam.DeleteUserInput{UserName: aws.String("ann")})
	ok(t, err)
	expect(token, "GET", "/v2/web/tags/list", http.StatusUnauthorized)
}

// [D] Every operation that is served is authorised as something that policies can name.
func TestServedOperationsAreAuthorised(t *testing.T) {
	for _, m := range server.Coverage() {
		for _, op := range m.Served() {
			if _, ok := policy.LookupOperation(m.Service().Name, op); !ok {
				t.Errorf("%s %s stands in no table of policy", m.Service().Name, op)
			}
		}
	}
}

// [D] Along a chain of roles a session lives an hour at most, and hands on the tags that are transitive.
func TestRoleChain(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	root := as(s, "root", "secret", "")
	ann := user(t, s, root, "ann", document(statement("Allow", "sts:*", "*", "")))
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
	for _, name := range []string{"first", "second"} {
		_, err := root.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust), MaxSessionDuration: aws.Int32(7200)})
		ok(t, err)
		_, err = root.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("p"), PolicyDocument: aws.String(
			document(statement("Allow", "sts:*", "*", ""), statement("Allow", "ecs:ListClusters", "*", `{"StringEquals":{"aws:PrincipalTag/team":"a"}}`)))})
		ok(t, err)
	}
	tags := []ststypes.Tag{{Key: aws.String("team"), Value: aws.String("a")}, {Key: aws.String("own"), Value: aws.String("b")}}
	assume := func(who somebody, role string, f func(*sts.AssumeRoleInput)) (somebody, error) {
		in := &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/" + role), RoleSessionName: aws.String("me")}
		f(in)
		out, err := who.sts.AssumeRole(t.Context(), in)
		if err != nil {
			return somebody{}, err
		}
		return as(s, *out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken), nil
	}
	first, err := assume(ann, "first", func(in *sts.AssumeRoleInput) {
		in.Tags, in.TransitiveTagKeys, in.DurationSeconds = tags, []string{"team"}, aws.Int32(7200)
	})
	ok(t, err)
	_, err = assume(first, "second", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7200) })
	refused(t, err, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	_, err = assume(first, "second", func(in *sts.AssumeRoleInput) { in.Tags = tags[:1] })
	refused(t, err, "InvalidParameterValue", "it conflicts with a transitive tag key from the calling session.")
	second, err := assume(first, "second", func(*sts.AssumeRoleInput) {})
	ok(t, err)
	_, err = second.ecs.ListClusters(t.Context(), nil)
	ok(t, err)
	untagged, err := assume(ann, "second", func(*sts.AssumeRoleInput) {})
	ok(t, err)
	_, err = untagged.ecs.ListClusters(t.Context(), nil)
	refused(t, err, "AccessDeniedException", "ecs:ListClusters")
	_, err = assume(ann, "first", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(100) })
	refused(t, err, "ValidationError", "1 validation error detected: Value '100' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900")

	// A federated user may do what both his maker and his own policies allow.
	_, err = root.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("ann"), PolicyName: aws.String("more"),
		PolicyDocument: aws.String(document(statement("Allow", "ecs:List*", "*", "")))})
	ok(t, err)
	out, err := ann.sts.GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("guest"),
		Policy: aws.String(document(statement("Allow", "ecs:ListClusters ecs:CreateCluster", "*", "")))})
	ok(t, err)
	guest := as(s, *out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	_, err = guest.ecs.ListClusters(t.Context(), nil)
	ok(t, err)
	_, err = guest.ecs.CreateCluster(t.Context(), &ecs.CreateClusterInput{})
	refused(t, err, "AccessDeniedException", "User: arn:aws:sts::000000000000:federated-user/guest is not authorized to perform: ecs:CreateCluster")
}

// [D] GetAccessKeyInfo tells whose account a key belongs to, to those who may ask.
func TestAccessKeyInfo(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	root := as(s, "root", "secret", "")
	ann := user(t, s, root, "ann", document(statement("Allow", "sts:GetAccessKeyInfo", "*", "")))
	key, err := root.iam.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String("ann")})
	ok(t, err)
	id := key.AccessKeyMetadata[0].AccessKeyId
	for _, who := range []somebody{root, ann} {
		out, err := who.sts.GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: id})
		if err != nil || *out.Account != "000000000000" {
			t.Errorf("%+v %v", out, err)
		}
	}
	bob := user(t, s, root, "bob", "")
	_, err = bob.sts.GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: id})
	refused(t, err, "AccessDenied", "sts:GetAccessKeyInfo")
	for given, text := range map[string]string{"AKIA": "accessKeyId", "AKIA-IS-NO-KEY-ID": "accessKeyId", "AKIAIOSFODNN7EXAMPLE": "is not known"} {
		_, err := root.sts.GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: &given})
		refused(t, err, "ValidationError", text)
	}
}
