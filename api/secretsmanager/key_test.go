package secretsmanager_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// [D] The key of a secret has to be there and usable, and what is refused changes nothing.
func TestKeyOfSecret(t *testing.T) {
	w := newWorld(t)
	scope := model.Scope{Account: "000000000000", Region: "us-east-1"}
	err := w.db.Update(t.Context(), func(tx *state.Tx) error {
		tx.KMSKeys.Put(&model.KMSKey{Scope: scope, ID: "on"})
		tx.KMSKeys.Put(&model.KMSKey{Scope: scope, ID: "off", Disabled: true})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{ // of secrets, by key; "" for a key that is refused
		"on": "one", "alias/aws/secretsmanager": "two", scope.ARN("kms", "alias/aws/secretsmanager"): "three", "off": "", "none": "", "alias/none": "",
	}
	for id, secret := range names {
		name := aws.String(secret)
		if secret == "" {
			name = aws.String("refused")
		}
		_, err := w.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: name, SecretString: aws.String("x"), KmsKeyId: &id})
		if secret == "" {
			refused(t, id, err, "EncryptionFailure", "Check that the KMS key is available, enabled")
			_, err = w.DescribeSecret(t.Context(), &sdk.DescribeSecretInput{SecretId: name})
			refused(t, id, err, "ResourceNotFoundException", "")
		} else if err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	w.create("plain", "x")
	update := func(id string) error {
		_, err := w.UpdateSecret(t.Context(), &sdk.UpdateSecretInput{SecretId: aws.String("plain"), KmsKeyId: &id})
		return err
	}
	if err := update("on"); err != nil {
		t.Error(err)
	}
	refused(t, "update", update("off"), "EncryptionFailure", "")
	if out, err := w.DescribeSecret(t.Context(), &sdk.DescribeSecretInput{SecretId: aws.String("plain")}); err != nil || aws.ToString(out.KmsKeyId) != "on" {
		t.Errorf("%+v, %v", out, err)
	}
}
