package secretsmanager_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// said is a batch in words: its values, then its errors.
func said(out *sdk.BatchGetSecretValueOutput) string {
	var all []string
	for _, v := range out.SecretValues {
		all = append(all, fmt.Sprintf("%s=%s%s%v", *v.Name, aws.ToString(v.SecretString), v.SecretBinary, v.VersionStages))
	}
	for _, e := range out.Errors {
		all = append(all, fmt.Sprintf("%s: %s: %s", *e.SecretId, *e.ErrorCode, *e.Message))
	}
	return strings.Join(all, "\n")
}

// [D] A batch has the current values of what is named and may be got; what is refused stands in Errors, each with its own reason.
func TestBatch(t *testing.T) {
	w := newWorld(t)
	one := w.create("one", "1")
	w.put("one", "1b", "v2")
	w.create("denied/two", "2")
	w.create("gone", "3")
	if _, err := w.DeleteSecret(t.Context(), &sdk.DeleteSecretInput{SecretId: aws.String("gone")}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: aws.String("bin"), SecretBinary: []byte("b")}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: aws.String("empty")}); err != nil {
		t.Fatal(err)
	}
	out, err := w.BatchGetSecretValue(t.Context(), &sdk.BatchGetSecretValueInput{SecretIdList: []string{one, "denied/two", "bin", "none", "gone", "empty"}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `one=1b[AWSCURRENT]
bin=b[AWSCURRENT]
denied/two: AccessDeniedException: GetSecretValue is not allowed
none: ResourceNotFoundException: Secrets Manager can't find the specified secret.
gone: InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion.
empty: ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSCURRENT`
	if got := said(out); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	out, err = w.other.BatchGetSecretValue(t.Context(), &sdk.BatchGetSecretValueInput{SecretIdList: []string{one}})
	if err != nil || len(out.SecretValues) != 0 || len(out.Errors) != 1 {
		t.Errorf("another account: %+v, %v", out, err)
	}
}

// [D] Filters choose a batch too, in pages, if the caller may list secrets; those that are marked for deletion are not in it.
func TestBatchByFilter(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"app/a", "app/b", "app/c", "app/d", "web"} {
		w.create(name, name)
	}
	if _, err := w.DeleteSecret(t.Context(), &sdk.DeleteSecretInput{SecretId: aws.String("app/b")}); err != nil {
		t.Fatal(err)
	}
	in := &sdk.BatchGetSecretValueInput{Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{"app/"}}}, MaxResults: aws.Int32(2)}
	var names []string
	for p := sdk.NewBatchGetSecretValuePaginator(w, in); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(out.SecretValues) > 2 || len(out.Errors) > 0 {
			t.Errorf("a page is %s", said(out))
		}
		for _, v := range out.SecretValues {
			names = append(names, *v.SecretString)
		}
	}
	if !slices.Equal(names, []string{"app/a", "app/c", "app/d"}) {
		t.Error(names)
	}
	_, err := w.other.BatchGetSecretValue(t.Context(), in)
	refused(t, "who may not list", err, "AccessDeniedException", "ListSecrets")
}

func TestBatchRefused(t *testing.T) {
	w := newWorld(t)
	named := []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{"a"}}}
	const either = "Either 'SecretIdList' or 'Filters' must be provided, but not both."
	for want, in := range map[string]*sdk.BatchGetSecretValueInput{
		either:       {},                                            // [O]
		either + " ": {SecretIdList: []string{"a"}, Filters: named}, // [O]
		"'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.": {SecretIdList: []string{"a"}, MaxResults: aws.Int32(1)},           // [O]
		"MaxResults must be between 1 and 20.":                                                     {Filters: named, MaxResults: aws.Int32(21)},                       // [D] the limit
		"SecretIdList can have up to 20 secrets.":                                                  {SecretIdList: slices.Repeat([]string{"a"}, 21)},                  // [D] the limit
		"Invalid filter: colour.":                                                                  {Filters: []types.Filter{{Key: "colour", Values: []string{"a"}}}}, // [I]
	} {
		_, err := w.BatchGetSecretValue(t.Context(), in)
		refused(t, want, err, "InvalidParameterException", strings.TrimSpace(want))
	}
}
