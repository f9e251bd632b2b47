package server_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/roadstead/roadstead/server"
)

// [D] A batch of secrets needs its own action, GetSecretValue on each of them, and ListSecrets for filters; conditions about the
// sender count for each.
func TestBatchOfSecrets(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	root := as(s, "root", "secret", "")
	for _, name := range []string{"app/a", "web"} {
		_, err := root.sec.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &name})
		ok(t, err)
	}
	const from = `{"IpAddress":{"aws:SourceIp":"127.0.0.1"}}`
	one := statement("Allow", "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:000000000000:secret:app/*", from)
	ann := user(t, s, root, "ann", document(one, statement("Allow", "secretsmanager:BatchGetSecretValue", "*", "")))
	bob := user(t, s, root, "bob", document(one))
	in := &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"app/a", "web"}}
	got, err := ann.sec.BatchGetSecretValue(t.Context(), in)
	ok(t, err)
	if len(got.SecretValues) != 1 || *got.SecretValues[0].SecretString != "app/a" || len(got.Errors) != 1 || *got.Errors[0].SecretId != "web" ||
		*got.Errors[0].ErrorCode != "AccessDeniedException" || !strings.Contains(*got.Errors[0].Message, "secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:000000000000:secret:web-") {
		t.Errorf("%+v", got)
	}
	_, err = bob.sec.BatchGetSecretValue(t.Context(), in)
	refused(t, err, "AccessDeniedException", "secretsmanager:BatchGetSecretValue on resource: *")
	in = &secretsmanager.BatchGetSecretValueInput{Filters: []types.Filter{{Key: "name", Values: []string{"app/"}}}}
	_, err = ann.sec.BatchGetSecretValue(t.Context(), in)
	refused(t, err, "AccessDeniedException", "secretsmanager:ListSecrets on resource: *")
	got, err = root.sec.BatchGetSecretValue(t.Context(), in)
	ok(t, err)
	if len(got.SecretValues) != 1 || len(got.Errors) != 0 {
		t.Errorf("root: %+v", got)
	}
}
