package secretsmanager_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/roadstead/roadstead/test/endpoint"
)

// [D] A secret is found by name, by ARN and by an ARN without its last characters; its value stands in no row, and another account
// has none of it.
func TestFound(t *testing.T) {
	w := newWorld(t)
	arn := w.create("app/db", "sesame")
	if !strings.HasPrefix(arn, "arn:aws:secretsmanager:us-east-1:000000000000:secret:app/db-") || len(arn) != len("arn:aws:secretsmanager:us-east-1:000000000000:secret:app/db-abcdef") {
		t.Errorf("ARN %s", arn)
	}
	for _, id := range []string{"app/db", arn, arn[:len(arn)-7]} {
		if got := w.get(id, ""); got != "sesame" {
			t.Errorf("%s: %s", id, got)
		}
	}
	for _, id := range []string{"app", arn[:len(arn)-1] + "_", strings.Replace(arn, "us-east-1", "eu-west-1", 1)} {
		_, err := w.DescribeSecret(t.Context(), &sdk.DescribeSecretInput{SecretId: &id})
		refused(t, id, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	}
	w.create(arn[strings.LastIndexByte(arn, ':')+1:], "impostor") // whose name is the end of the other's ARN
	if got := w.get(arn, ""); got != "sesame" {
		t.Errorf("the ARN of one is the name of another: %s", got)
	}
	_, err := w.other.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: &arn})
	refused(t, "another account", err, "AccessDeniedException", "because no resource-based policy allows the secretsmanager:GetSecretValue action")
	for v := range w.DB.Snapshot().SecretValues.All() {
		if text, _ := json.Marshal(v); bytes.Contains(text, []byte("sesame")) || bytes.Contains(v.Sealed, []byte("sesame")) {
			t.Errorf("a row is %s", text)
		}
	}
	_, err = w.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: aws.String("bin"), SecretBinary: []byte{0, 255}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: aws.String("bin")})
	if err != nil || !bytes.Equal(out.SecretBinary, []byte{0, 255}) || out.SecretString != nil {
		t.Errorf("binary: %+v, %v", out, err)
	}
}

// [D] AWSCURRENT moves to the newest value and AWSPREVIOUS behind it; the same request again changes nothing.
func TestStages(t *testing.T) {
	w := newWorld(t)
	w.create("s", "one")
	w.put("s", "two", "v2")
	w.put("s", "two", "v2")
	w.put("s", "three", "v3", "AWSPENDING")
	stages := func() string {
		out, err := w.ListSecretVersionIds(t.Context(), &sdk.ListSecretVersionIdsInput{SecretId: aws.String("s"), IncludeDeprecated: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, v := range out.Versions {
			all = append(all, fmt.Sprint(strings.TrimRight(*v.VersionId, "-"), v.VersionStages))
		}
		return strings.Join(all, " ")
	}
	if got := stages(); got != "s[AWSPREVIOUS] v2[AWSCURRENT] v3[AWSPENDING]" {
		t.Error(got)
	}
	for stage, want := range map[string]string{"": "two", "AWSPREVIOUS": "one", "AWSPENDING": "three"} {
		if got := w.get("s", stage); got != want {
			t.Errorf("%q: %s", stage, got)
		}
	}
	move := func(stage, to, from string) error {
		in := &sdk.UpdateSecretVersionStageInput{SecretId: aws.String("s"), VersionStage: &stage}
		if to != "" {
			in.MoveToVersionId = token(to)
		}
		if from != "" {
			in.RemoveFromVersionId = token(from)
		}
		_, err := w.UpdateSecretVersionStage(t.Context(), in)
		return err
	}
	refused(t, "from nowhere", move("AWSCURRENT", "v3", ""), "InvalidParameterException", "Staging label AWSCURRENT is currently attached to version v2")
	refused(t, "to nowhere", move("x", "v9", ""), "ResourceNotFoundException", "")
	if err := move("AWSCURRENT", "v3", "v2"); err != nil {
		t.Fatal(err)
	}
	if got := stages(); got != "s[] v2[AWSPREVIOUS] v3[AWSPENDING AWSCURRENT]" {
		t.Error(got)
	}
	if err := move("AWSPENDING", "", "v3"); err != nil {
		t.Fatal(err)
	}
	_, err := w.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: aws.String("s"), VersionStage: aws.String("AWSPENDING")})
	refused(t, "a label that nobody has", err, "ResourceNotFoundException", "can't find the specified secret value for staging label: AWSPENDING")
	_, err = w.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: aws.String("s"), VersionId: token("v2"), VersionStage: aws.String("AWSCURRENT")})
	refused(t, "version and label that do not meet", err, "InvalidRequestException", "VersionStage that is not associated")
	_, err = w.PutSecretValue(t.Context(), &sdk.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("other"), ClientRequestToken: token("v2")})
	refused(t, "a token that is in use", err, "ResourceExistsException", "already in use for a version of secret")
}

// [D] A hundred versions are kept: those without labels go first.
func TestVersionsGo(t *testing.T) {
	w := newWorld(t)
	w.create("s", "first")
	if _, err := w.UpdateSecretVersionStage(t.Context(), &sdk.UpdateSecretVersionStageInput{SecretId: aws.String("s"), VersionStage: aws.String("keep"), MoveToVersionId: token("s")}); err != nil {
		t.Fatal(err)
	}
	for i := range 110 {
		w.put("s", fmt.Sprint(i), fmt.Sprint("v", i))
	}
	if n := w.DB.Snapshot().SecretValues.Len(); n != 100 {
		t.Errorf("%d values", n)
	}
	if got := w.get("s", "keep"); got != "first" {
		t.Errorf("the one with a label: %s", got)
	}
}

// [D] A deleted secret says nothing until it is restored, keeps its name for its recovery window, and is gone then.
func TestDeletion(t *testing.T) {
	w := newWorld(t)
	w.create("s", "one")
	id := aws.String("s")
	for _, days := range []int64{6, 31} {
		_, err := w.DeleteSecret(t.Context(), &sdk.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: &days})
		refused(t, fmt.Sprint(days, " days"), err, "InvalidParameterException", "between 7 and 30 days")
	}
	_, err := w.DeleteSecret(t.Context(), &sdk.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: aws.Int64(7), ForceDeleteWithoutRecovery: aws.Bool(true)})
	refused(t, "both ways", err, "InvalidParameterException", "in conjunction with RecoveryWindowInDays")
	remove := func() {
		t.Helper()
		out, err := w.DeleteSecret(t.Context(), &sdk.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: aws.Int64(7)})
		if err != nil || out.DeletionDate.UnixMilli() != endpoint.Begin.AddDate(0, 0, 7).UnixMilli() {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	remove()
	_, err = w.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: id})
	refused(t, "its value", err, "InvalidRequestException", "marked for deletion")
	_, err = w.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: id, SecretString: aws.String("x")})
	refused(t, "its name", err, "InvalidRequestException", "already scheduled for deletion")
	list := func(planned bool) int {
		out, err := w.ListSecrets(t.Context(), &sdk.ListSecretsInput{IncludePlannedDeletion: &planned})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.SecretList)
	}
	if list(false) != 0 || list(true) != 1 {
		t.Error("it is listed wrongly")
	}
	if _, err := w.RestoreSecret(t.Context(), &sdk.RestoreSecretInput{SecretId: id}); err != nil || w.get("s", "") != "one" {
		t.Errorf("restored: %v, %s", err, w.get("s", ""))
	}
	remove()
	w.Day(8)
	_, err = w.RestoreSecret(t.Context(), &sdk.RestoreSecretInput{SecretId: id})
	refused(t, "after its window", err, "ResourceNotFoundException", "can't find")
	first := w.create("s", "anew")
	if w.get("s", "") != "anew" || w.DB.Snapshot().SecretValues.Len() != 1 {
		t.Error("the name is not free, or the old value is still there")
	}
	_, err = w.DeleteSecret(t.Context(), &sdk.DeleteSecretInput{SecretId: id, ForceDeleteWithoutRecovery: aws.Bool(true)})
	if err != nil || w.DB.Snapshot().SecretValues.Len() != 0 {
		t.Errorf("at once: %v", err)
	}
	if again := w.create("s", "third"); again == first {
		t.Error("a secret that is made again has the same ARN")
	}
}

// [D] Secrets are listed by what they are called.
func TestList(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"App/a", "app/b", "other"} {
		w.create(name, "x")
	}
	_, err := w.TagResource(t.Context(), &sdk.TagResourceInput{SecretId: aws.String("other"), Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("prod")}}})
	if err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]types.Filter{
		"[App/a app/b]": {Key: "name", Values: []string{"app"}}, "[other]": {Key: "tag-value", Values: []string{"prod"}},
		"[App/a app/b ]": {Key: "name", Values: []string{"!other"}}, "[]": {Key: "tag-key", Values: []string{"ENV"}},
	} {
		var names []string
		for p := sdk.NewListSecretsPaginator(w.Client, &sdk.ListSecretsInput{Filters: []types.Filter{f}, MaxResults: aws.Int32(1)}); p.HasMorePages(); {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page.SecretList {
				names = append(names, *s.Name)
			}
		}
		if fmt.Sprint(names) != strings.Replace(want, " ]", "]", 1) {
			t.Errorf("%+v: %v", f, names)
		}
	}
	if _, err := w.UntagResource(t.Context(), &sdk.UntagResourceInput{SecretId: aws.String("other"), TagKeys: []string{"env"}}); err != nil {
		t.Fatal(err)
	}
	out, err := w.DescribeSecret(t.Context(), &sdk.DescribeSecretInput{SecretId: aws.String("other")})
	if err != nil || len(out.Tags) != 0 || len(out.VersionIdsToStages) != 1 {
		t.Errorf("%+v, %v", out, err)
	}
	_, err = w.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: aws.String("no spaces")})
	refused(t, "a name", err, "ValidationException", "Invalid name.")
	_, err = w.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: aws.String("other"), SecretString: aws.String("y")})
	refused(t, "there already", err, "ResourceExistsException", "The operation failed because the secret other already exists.")
}

// [D] A password has a character of each sort that is not excluded, and none that is.
func TestRandomPassword(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for range 50 {
		out, err := w.GetRandomPassword(t.Context(), &sdk.GetRandomPasswordInput{PasswordLength: aws.Int64(8), ExcludePunctuation: aws.Bool(true), ExcludeCharacters: aws.String("aA0")})
		if err != nil {
			t.Fatal(err)
		}
		p := *out.RandomPassword
		for _, sort := range []string{"bcdefghijklmnopqrstuvwxyz", "BCDEFGHIJKLMNOPQRSTUVWXYZ", "123456789"} {
			if !strings.ContainsAny(p, sort) {
				t.Errorf("%q has none of %s", p, sort)
			}
		}
		if len(p) != 8 || strings.ContainsAny(p, "aA0!-_ ") || seen[p] {
			t.Errorf("password %q", p)
		}
		seen[p] = true
	}
	_, err := w.GetRandomPassword(t.Context(), &sdk.GetRandomPasswordInput{PasswordLength: aws.Int64(3)})
	refused(t, "too short", err, "InvalidParameterException", "Password length 3 is too short")
}
