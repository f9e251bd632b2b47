package server_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/wire"
)

// encoded is the message beside a refusal.
func encoded(t *testing.T, err error) string {
	t.Helper()
	r, is := errors.AsType[*smithyhttp.ResponseError](err)
	if !is {
		t.Fatalf("no answer: %v", err)
	}
	m := r.Response.Header.Get(wire.EncodedHeader)
	if m == "" || len(m) > 6<<10 {
		t.Fatalf("no message, or a long one: %q beside %v", m, err)
	}
	return m
}

// A refused call has a message beside AWS's text, in every protocol, and in the words of a service that calls another; who may decode it
// learns which statement decided [D]. Other accounts cannot.
func TestRefusalsAreExplained(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	root := as(s, "root", "secret", "")
	ann := user(t, s, root, "ann", document(
		`{"Sid":"Work","Effect":"Allow","Action":"*","Resource":"*"}`,
		`{"Sid":"KeepClusters","Effect":"Deny","Action":["ecs:DeleteCluster","iam:CreateUser","sts:DecodeAuthorizationMessage"],"Resource":"*"}`))
	decode := func(by somebody, message string) (string, error) {
		out, err := by.sts.DecodeAuthorizationMessage(t.Context(), &sts.DecodeAuthorizationMessageInput{EncodedMessage: &message})
		if err != nil {
			return "", err
		}
		return *out.DecodedMessage, nil
	}
	_, inJSON := ann.ecs.DeleteCluster(t.Context(), &ecs.DeleteClusterInput{Cluster: aws.String("prod")})
	refused(t, inJSON, "AccessDeniedException", "with an explicit deny in an identity-based policy")
	_, inXML := ann.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("bob")})
	refused(t, inXML, "AccessDenied", "iam:CreateUser")
	for action, err := range map[string]error{"ecs:DeleteCluster": inJSON, "iam:CreateUser": inXML} {
		text, err := decode(root, encoded(t, err))
		ok(t, err)
		for _, part := range []string{`"explicitDeny":true`, `"statementId":"KeepClusters"`, `"action":"` + action + `"`, `"arn":"arn:aws:iam::000000000000:user/ann"`} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %s is not in %s", action, part, text)
			}
		}
	}
	message := encoded(t, inJSON)
	_, err := decode(ann, message)
	refused(t, err, "AccessDenied", "sts:DecodeAuthorizationMessage")
	_, err = decode(root, message+"x")
	refused(t, err, "InvalidAuthorizationMessageException", "")
	_, err = decode(root, strings.Repeat("x", 10241))
	refused(t, err, "ValidationError", "length less than or equal to 10240")

	var key struct{ AccessKeyID, SecretAccessKey string }
	ok(t, dial(t, s, "root", "secret").Do(t.Context(), "POST", "/roadstead/v1/accounts", map[string]string{"account": "111111111111"}, &key))
	_, err = decode(as(s, key.AccessKeyID, key.SecretAccessKey, ""), message)
	refused(t, err, "InvalidAuthorizationMessageException", "")

	// What is granted has none, and neither has what nobody may be told why.
	resp, err := http.Get(s.URL() + "/?Action=ListUsers&Version=2010-05-08")
	ok(t, err)
	defer resp.Body.Close()
	if resp.Header.Get(wire.EncodedHeader) != "" {
		t.Error("an unsigned call is explained")
	}
}
