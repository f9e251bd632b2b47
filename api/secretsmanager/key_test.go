package secretsmanager_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/endpoint"
)

// [D] The key of a secret has to be there and usable, and what is refused changes nothing.
func TestKeyOfSecret(t *testing.T) {
	w := newWorld(t)
	scope := model.Scope{Account: "000000000000", Region: "us-east-1"}
	on := w.Key(endpoint.Account, "")
	off := w.Key(endpoint.Account, "", func(k *model.KMSKey) { k.Disabled = true })
	names := map[string]string{ // of secrets, by key; "" for a key that is refused
		on: "one", "alias/aws/secretsmanager": "two", scope.ARN("kms", "alias/aws/secretsmanager"): "three", off: "", "none": "", "alias/none": "",
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
	if err := update(on); err != nil {
		t.Error(err)
	}
	refused(t, "update", update(off), "EncryptionFailure", "")
	if out, err := w.DescribeSecret(t.Context(), &sdk.DescribeSecretInput{SecretId: aws.String("plain")}); err != nil || aws.ToString(out.KmsKeyId) != on {
		t.Errorf("%+v, %v", out, err)
	}
}

// [D] Who writes and reads a secret with a key of the customer's needs that key, through Secrets Manager and with the secret's
// encryption context; with the default key nobody needs anything.
func TestKeyIsAsked(t *testing.T) {
	w := newWorld(t)
	key := w.Key(endpoint.Account, "")
	secrets := endpoint.Statement("Allow", "secretsmanager:*", `"Resource":"*"`)
	kms := func(actions, condition string) string {
		return endpoint.Statement("Allow", actions, `"Resource":"`+key+`","Condition":`+condition)
	}
	via := func(service, version string) string {
		return `{"StringEquals":{"kms:ViaService":"` + service + `.us-east-1.amazonaws.com"},"StringLike":{"kms:EncryptionContext:SecretARN":
			"arn:aws:secretsmanager:us-east-1:000000000000:secret:keyed-??????","kms:EncryptionContext:SecretVersionId":"` + version + `"}}`
	}
	as := func(name string, statements ...string) *sdk.Client {
		return sdk.NewFromConfig(w.User(endpoint.Account, name, endpoint.Document(append(statements, secrets)...)))
	}
	create := func(by *sdk.Client, name, key string) error {
		in := &sdk.CreateSecretInput{Name: &name, SecretString: aws.String("sesame"), ClientRequestToken: token("v1")}
		if key != "" {
			in.KmsKeyId = &key
		}
		_, err := by.CreateSecret(t.Context(), in)
		return err
	}
	get := func(by *sdk.Client, name string) error {
		out, err := by.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: &name})
		if err == nil && *out.SecretString != "sesame" {
			t.Errorf("%s is %s", name, *out.SecretString)
		}
		return err
	}
	none := as("none")
	writer := as("writer", kms("kms:GenerateDataKey kms:Decrypt", via("secretsmanager", "*")))
	untried := as("untried", kms("kms:GenerateDataKey kms:Decrypt", via("secretsmanager", *token("v1"))))
	reader := as("reader", kms("kms:Decrypt", via("secretsmanager", *token("v1"))))
	elsewhere := as("elsewhere", kms("kms:*", via("ssm", "*")))
	if err := create(none, "default", ""); err != nil {
		t.Error(err)
	}
	if err := get(none, "default"); err != nil {
		t.Error(err)
	}
	for what, by := range map[string]*sdk.Client{"no right": none, "no right to try": untried, "a right to read": reader, "a right through another service": elsewhere} {
		refused(t, what, create(by, "keyed", key), "AccessDeniedException", "Access to KMS is not allowed")
	}
	if err := create(writer, "keyed", key); err != nil {
		t.Fatal(err)
	}
	refused(t, "reading without a right", get(none, "keyed"), "AccessDeniedException", "Access to KMS is not allowed")
	refused(t, "reading through another service", get(elsewhere, "keyed"), "AccessDeniedException", "Access to KMS is not allowed")
	for _, by := range []*sdk.Client{writer, reader} {
		if err := get(by, "keyed"); err != nil {
			t.Error(err)
		}
	}
	_, err := reader.PutSecretValue(t.Context(), &sdk.PutSecretValueInput{SecretId: aws.String("keyed"), SecretString: aws.String("x")})
	refused(t, "writing with a right to read", err, "AccessDeniedException", "Access to KMS is not allowed")
}

// [D] A value opens only while its key can be used; a key that is changed takes the versions in use along.
func TestKeyIsUsed(t *testing.T) {
	w := newWorld(t)
	first, second := w.Key(endpoint.Account, ""), w.Key(endpoint.Account, "")
	set := func(arn string, f func(k *model.KMSKey)) {
		w.Update(func(tx *state.Tx) {
			k := *tx.KMSKeyByID(model.Scope{}, arn)
			f(&k)
			tx.KMSKeys.Put(&k)
		})
	}
	name := aws.String("s")
	if _, err := w.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: name, SecretString: aws.String("1"), KmsKeyId: &first}); err != nil {
		t.Fatal(err)
	}
	w.put("s", "2", "v2")
	set(first, func(k *model.KMSKey) { k.Disabled = true })
	_, err := w.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: name})
	refused(t, "disabled", err, "DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key.")
	_, err = w.PutSecretValue(t.Context(), &sdk.PutSecretValueInput{SecretId: name, SecretString: aws.String("3")})
	refused(t, "disabled", err, "EncryptionFailure", "")
	set(first, func(k *model.KMSKey) { k.Disabled = false })
	if _, err := w.UpdateSecret(t.Context(), &sdk.UpdateSecretInput{SecretId: name, KmsKeyId: &second}); err != nil {
		t.Fatal(err)
	}
	set(first, func(k *model.KMSKey) { k.GoneAt = w.Now().UnixMilli() })
	if a, b := w.get("s", ""), w.get("s", "AWSPREVIOUS"); a != "2" || b != "1" {
		t.Errorf("with another key: %s, %s", a, b)
	}
	set(second, func(k *model.KMSKey) { k.GoneAt = w.Now().UnixMilli() })
	_, err = w.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: name})
	refused(t, "deleted", err, "DecryptionFailure", "")
	list, err := w.ListSecretVersionIds(t.Context(), &sdk.ListSecretVersionIdsInput{SecretId: name})
	if err != nil || len(list.Versions) != 2 || list.Versions[0].KmsKeyIds[0] != second || list.Versions[1].KmsKeyIds[0] != second {
		t.Errorf("%+v, %v", list, err)
	}
}

// [I] Values from before there were data keys are read as they were written, and those of one secret are none of another's.
func TestOldValues(t *testing.T) {
	w := newWorld(t)
	w.create("old", "new")
	w.create("another", "else")
	rows := w.DB.Snapshot()
	old := rows.SecretByID(model.Scope{Account: endpoint.Account, Region: endpoint.Region}, "old")
	w.Update(func(tx *state.Tx) {
		v, _ := tx.SecretValues.Get(model.SecretValueKey(old.Scope, old.Name, old.Suffix, old.Versions[0].ID))
		kept := *v
		kept.DataKey, kept.Sealed = nil, w.Seal.Seal([]byte("sesame"), v.Key())
		tx.SecretValues.Put(&kept)
	})
	if got := w.get("old", ""); got != "sesame" {
		t.Errorf("an old value: %s", got)
	}
	another := rows.SecretByID(old.Scope, "another")
	w.Update(func(tx *state.Tx) {
		v, _ := tx.SecretValues.Get(model.SecretValueKey(old.Scope, old.Name, old.Suffix, old.Versions[0].ID))
		stolen, _ := tx.SecretValues.Get(model.SecretValueKey(another.Scope, another.Name, another.Suffix, another.Versions[0].ID))
		kept := *v
		kept.DataKey, kept.Sealed = stolen.DataKey, stolen.Sealed
		tx.SecretValues.Put(&kept)
	})
	_, err := w.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: aws.String("old")})
	refused(t, "another secret's value", err, "DecryptionFailure", "")
}
