package secretsmanager_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/roadstead/roadstead/test/endpoint"
)

// [D] A secret's policy lets another account in, by the secret's ARN: with a key of KMS that lets it in too, and never with the
// default one. Within the account it may refuse even the root user.
func TestResourcePolicy(t *testing.T) {
	w := newWorld(t)
	const others = `"Principal":{"AWS":"` + endpoint.Other + `"},"Resource":"*"`
	share := endpoint.Document(endpoint.Statement("Allow", "secretsmanager:GetSecretValue secretsmanager:PutSecretValue", others))
	plain := w.create("plain", "1")
	shut := w.Key(endpoint.Account, "")
	open := w.Key(endpoint.Account, endpoint.Document(
		endpoint.Statement("Allow", "kms:*", `"Principal":{"AWS":"`+endpoint.Account+`"},"Resource":"*"`),
		endpoint.Statement("Allow", "kms:Decrypt kms:GenerateDataKey", others+`,"Condition":{"StringEquals":{"kms:ViaService":"secretsmanager.us-east-1.amazonaws.com"}}`)))
	var keyed [2]string
	for i, key := range []string{shut, open} {
		out, err := w.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: aws.String("keyed" + key[len(key)-3:]), SecretString: aws.String("2"), KmsKeyId: &key})
		if err != nil {
			t.Fatal(err)
		}
		keyed[i] = *out.ARN
	}
	for _, arn := range []string{plain, keyed[0], keyed[1]} {
		_, err := w.other.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: &arn})
		refused(t, "before", err, "AccessDeniedException", "because no resource-based policy allows the secretsmanager:GetSecretValue action")
		if _, err := w.PutResourcePolicy(t.Context(), &sdk.PutResourcePolicyInput{SecretId: &arn, ResourcePolicy: &share}); err != nil {
			t.Fatal(err)
		}
	}
	get := func(arn string) (*sdk.GetSecretValueOutput, error) {
		return w.other.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: &arn})
	}
	_, err := get(plain)
	refused(t, "the default key", err, "InvalidRequestException", "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.")
	_, err = get(keyed[0])
	refused(t, "a key that is not shared", err, "AccessDeniedException", "Access to KMS is not allowed")
	if out, err := get(keyed[1]); err != nil || *out.SecretString != "2" {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := w.other.PutSecretValue(t.Context(), &sdk.PutSecretValueInput{SecretId: &keyed[1], SecretString: aws.String("3")}); err != nil {
		t.Error(err)
	}
	if got := w.get(keyed[1], ""); got != "3" {
		t.Errorf("what the other account has written: %s", got)
	}
	_, err = w.other.DescribeSecret(t.Context(), &sdk.DescribeSecretInput{SecretId: &keyed[1]})
	refused(t, "what is not shared", err, "AccessDeniedException", "secretsmanager:DescribeSecret")
	_, err = w.other.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: aws.String("plain")})
	refused(t, "by its name", err, "ResourceNotFoundException", "")
	guest := sdk.NewFromConfig(w.User(endpoint.Other, "guest", ""))
	_, err = guest.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: &keyed[1]})
	refused(t, "whose own account does not allow it", err, "AccessDeniedException", "because no identity-based policy allows")

	deny := endpoint.Document(endpoint.Statement("Deny", "secretsmanager:GetSecretValue", `"Principal":"*","Resource":"*"`))
	if _, err := w.PutResourcePolicy(t.Context(), &sdk.PutResourcePolicyInput{SecretId: &plain, ResourcePolicy: &deny}); err != nil {
		t.Fatal(err)
	}
	_, err = w.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: aws.String("plain")})
	refused(t, "denied to all", err, "AccessDeniedException", "with an explicit deny in a resource-based policy")
	if out, err := w.GetResourcePolicy(t.Context(), &sdk.GetResourcePolicyInput{SecretId: aws.String("plain")}); err != nil || aws.ToString(out.ResourcePolicy) != deny {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := w.DeleteResourcePolicy(t.Context(), &sdk.DeleteResourcePolicyInput{SecretId: &plain}); err != nil {
		t.Fatal(err)
	}
	if got := w.get("plain", ""); got != "1" {
		t.Errorf("after its deletion: %s", got)
	}
}

// [D] Policies that cannot be read, that name nobody, or, if that is asked for, that let everybody in, are refused.
func TestResourcePolicyRefused(t *testing.T) {
	w := newWorld(t)
	w.create("s", "1")
	public := endpoint.Document(endpoint.Statement("Allow", "secretsmanager:*", `"Principal":"*","Resource":"*"`))
	w.User(endpoint.Account, "ann", "")
	named := func(arn string) string {
		return endpoint.Document(endpoint.Statement("Allow", "secretsmanager:*", `"Principal":{"AWS":"`+arn+`"},"Resource":"*"`))
	}
	put := func(text string, block bool) error {
		_, err := w.PutResourcePolicy(t.Context(), &sdk.PutResourcePolicyInput{SecretId: aws.String("s"), ResourcePolicy: &text, BlockPublicPolicy: &block})
		return err
	}
	refused(t, "no policy", put("{}", false), "MalformedPolicyDocumentException", "This resource policy contains a syntax error.")
	refused(t, "nobody", put(named("arn:aws:iam::"+endpoint.Account+":user/none"), false), "MalformedPolicyDocumentException", "This resource policy contains an unsupported principal.")
	refused(t, "everybody", put(public, true), "PublicPolicyException", "did not prevent broad access to the secret.")
	if out, err := w.GetResourcePolicy(t.Context(), &sdk.GetResourcePolicyInput{SecretId: aws.String("s")}); err != nil || out.ResourcePolicy != nil {
		t.Errorf("what was refused is kept: %+v, %v", out, err)
	}
	for text, want := range map[string]bool{public: false, named("arn:aws:iam::" + endpoint.Account + ":user/ann"): true} {
		out, err := w.ValidateResourcePolicy(t.Context(), &sdk.ValidateResourcePolicyInput{SecretId: aws.String("s"), ResourcePolicy: &text})
		if err != nil || out.PolicyValidationPassed != want || (len(out.ValidationErrors) == 0) != want {
			t.Errorf("%s: %+v, %v", text, out, err)
		}
		if err := put(text, want); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
