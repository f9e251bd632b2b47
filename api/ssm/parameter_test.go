package ssm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"github.com/roadstead/roadstead/api/ssm"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/endpoint"
)

// world is an endpoint with the API. Its clock stands still.
type world struct {
	*endpoint.World
	*sdk.Client
	other *sdk.Client // of another account
	t     *testing.T
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: endpoint.New(t), t: t}
	w.Serve(ssm.New(ssm.Config{DB: w.DB, Seal: w.Seal, MayUse: w.MayUse("ssm"), Now: w.Now}))
	w.Client, w.other = sdk.NewFromConfig(w.As("test")), sdk.NewFromConfig(w.As("other"))
	return w
}

func (w *world) put(name, value string, change ...func(*sdk.PutParameterInput)) int64 {
	w.t.Helper()
	in := &sdk.PutParameterInput{Name: &name, Value: &value, Type: "String"}
	for _, f := range change {
		f(in)
	}
	out, err := w.PutParameter(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Version
}

func overwrite(in *sdk.PutParameterInput) { in.Overwrite = aws.Bool(true) }
func secure(in *sdk.PutParameterInput)    { in.Type = "SecureString" }

func refused(t *testing.T, what string, err error, code, text string) {
	t.Helper()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("%s: got %v\nwant %s: %s", what, err, code, text)
	}
}

func (w *world) get(ref string) string {
	w.t.Helper()
	out, err := w.GetParameter(w.t.Context(), &sdk.GetParameterInput{Name: &ref, WithDecryption: aws.Bool(true)})
	if err != nil {
		w.t.Fatalf("%s: %v", ref, err)
	}
	return fmt.Sprintf("%s=%s v%d%s", *out.Parameter.Name, *out.Parameter.Value, out.Parameter.Version, aws.ToString(out.Parameter.Selector))
}

// [D] A parameter is found by name and ARN, by version and by label; another account has none of it.
func TestReferences(t *testing.T) {
	w := newWorld(t)
	w.put("/a/b", "one")
	w.put("/a/b", "two", overwrite)
	w.put("plain", "p")
	_, err := w.LabelParameterVersion(t.Context(), &sdk.LabelParameterVersionInput{Name: aws.String("/a/b"), ParameterVersion: aws.Int64(1), Labels: []string{"prod"}})
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"/a/b": "/a/b=two v2", "/a/b:1": "/a/b=one v1:1", "/a/b:prod": "/a/b=one v1:prod", "plain": "plain=p v1",
		"arn:aws:ssm:us-east-1:000000000000:parameter/a/b":      "/a/b=two v2",
		"arn:aws:ssm:us-east-1:000000000000:parameter/a/b:prod": "/a/b=one v1:prod",
		"arn:aws:ssm:us-east-1:000000000000:parameter/plain":    "plain=p v1",
	} {
		if got := w.get(ref); got != want {
			t.Errorf("%s: got %s, want %s", ref, got, want)
		}
	}
	for ref, code := range map[string]string{"/a": "ParameterNotFound", "/a/b:3": "ParameterVersionNotFound", "/a/b:dev": "ParameterVersionNotFound",
		"arn:aws:ssm:us-east-1:111111111111:parameter/a/b": "ParameterNotFound", "arn:aws:ssm:eu-west-1:000000000000:parameter/a/b": "ParameterNotFound"} {
		_, err := w.GetParameter(t.Context(), &sdk.GetParameterInput{Name: &ref})
		refused(t, ref, err, code, "")
	}
	_, err = w.other.GetParameter(t.Context(), &sdk.GetParameterInput{Name: aws.String("/a/b")})
	refused(t, "another account", err, "ParameterNotFound", "")
	many, err := w.GetParameters(t.Context(), &sdk.GetParametersInput{Names: []string{"/a/b:prod", "no", "plain"}})
	if err != nil || len(many.Parameters) != 2 || *many.Parameters[0].Value != "one" || len(many.InvalidParameters) != 1 {
		t.Errorf("%+v, %v", many, err)
	}
	gone, err := w.DeleteParameters(t.Context(), &sdk.DeleteParametersInput{Names: []string{"/a/b", "no"}})
	if err != nil || len(gone.DeletedParameters) != 1 || len(gone.InvalidParameters) != 1 {
		t.Errorf("%+v, %v", gone, err)
	}
	if n := w.DB.Snapshot().ParameterVersions.Len(); n != 1 {
		t.Errorf("%d versions are left", n)
	}
	if w.put("/a/b", "anew") != 1 {
		t.Error("a parameter that is made again does not begin at 1")
	}
}

// [D] The value of a SecureString stands in no row, and is shown to those only who ask for decryption.
func TestSecureString(t *testing.T) {
	w := newWorld(t)
	w.put("/s", "sesame", secure)
	for v := range w.DB.Snapshot().ParameterVersions.All() {
		if text, _ := json.Marshal(v); bytes.Contains(text, []byte("sesame")) || v.KeyID != "alias/aws/ssm" {
			t.Errorf("its row is %s", text)
		}
	}
	out, err := w.GetParameter(t.Context(), &sdk.GetParameterInput{Name: aws.String("/s")})
	if err != nil || strings.Contains(*out.Parameter.Value, "sesame") {
		t.Errorf("without decryption: %+v, %v", out, err)
	}
	if got := w.get("/s"); got != "/s=sesame v1" {
		t.Error(got)
	}
}

// [D] What cannot be put, in AWS's words where they are known [O].
func TestPutIsRefused(t *testing.T) {
	w := newWorld(t)
	w.put("/old", "x")
	w.put("/secure", "x", secure)
	for what, c := range map[string]struct {
		name, value, code, text string
		change                  func(*sdk.PutParameterInput)
	}{
		"there already":   {"/old", "y", "ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option", nil},
		"not qualified":   {"a/b", "y", "ValidationException", "Parameter name must be a fully qualified name.", nil},
		"reserved":        {"/aws/x", "y", "AccessDeniedException", "No access to reserved parameter name: aws/x.", nil},
		"ssm":             {"ssm-x", "y", "ValidationException", `can't be prefixed with "ssm"`, nil},
		"letters":         {"a b", "y", "ValidationException", "mix of letters, numbers", nil},
		"too deep":        {strings.Repeat("/a", 16), "y", "HierarchyLevelLimitExceededException", "15 levels", nil},
		"no type":         {"/new", "y", "ValidationException", "A parameter type is required", func(in *sdk.PutParameterInput) { in.Type = "" }},
		"large":           {"/new", strings.Repeat("y", 4097), "ValidationException", "maximum parameter value of 4096 characters", nil},
		"larger":          {"/new", strings.Repeat("y", 8193), "ValidationException", "8192", func(in *sdk.PutParameterInput) { in.Tier = "Advanced" }},
		"pattern":         {"/new", "y", "ParameterPatternMismatchException", "allowedPattern: [0-9]+", func(in *sdk.PutParameterInput) { in.AllowedPattern = aws.String("[0-9]+") }},
		"another type":    {"/secure", "y", "HierarchyTypeMismatchException", "SecureString", overwrite},
		"a key of a text": {"/new", "y", "ValidationException", "KeyId is required for SecureString", func(in *sdk.PutParameterInput) { in.KeyId = aws.String("k") }},
		"tags, overwriting": {"/old", "y", "ValidationException", "tags and overwrite can't be used together", func(in *sdk.PutParameterInput) {
			overwrite(in)
			in.Tags = []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
		}},
	} {
		in := &sdk.PutParameterInput{Name: &c.name, Value: &c.value, Type: "String"}
		if c.change != nil {
			c.change(in)
		}
		_, err := w.PutParameter(t.Context(), in)
		refused(t, what, err, c.code, c.text)
	}
	if n := w.DB.Snapshot().Parameters.Len(); n != 2 {
		t.Errorf("%d parameters", n)
	}
}

// [O] The key of a SecureString has to be there and usable, however it is named; why it is not, KMS says.
func TestKeyOfSecureString(t *testing.T) {
	w := newWorld(t)
	scope := model.Scope{Account: "000000000000", Region: "us-east-1"}
	on, off := w.Key(endpoint.Account, ""), w.Key(endpoint.Account, "", func(k *model.KMSKey) { k.Disabled = true })
	dying := w.Key(endpoint.Account, "", func(k *model.KMSKey) { k.GoneAt = 1 << 60 })
	id := func(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
	w.Update(func(tx *state.Tx) { tx.KMSAliases.Put(&model.KMSAlias{Scope: scope, Name: "alias/app", KeyID: id(on)}) })
	put := func(id string) error {
		_, err := w.PutParameter(t.Context(), &sdk.PutParameterInput{Name: aws.String("/k"), Value: aws.String("x"), Type: "SecureString", KeyId: &id, Overwrite: aws.Bool(true)})
		return err
	}
	for _, id := range []string{id(on), on, "alias/app", scope.ARN("kms", "alias/app"), "alias/aws/ssm"} {
		if err := put(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	for id, want := range map[string]string{
		"none":        "Key 'arn:aws:kms:us-east-1:000000000000:key/none' does not exist (Service: AWSKMS; Status Code: 400; Error Code: NotFoundException",
		"alias/none":  "Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found. (Service: AWSKMS; Status Code: 400; Error Code: NotFoundException",
		id(off):       off + " is disabled. (Service: AWSKMS; Status Code: 400; Error Code: DisabledException",
		dying:         dying + " is pending deletion. (Service: AWSKMS; Status Code: 400; Error Code: KMSInvalidStateException",
		"alias/aws/x": "Alias arn:aws:kms:us-east-1:000000000000:alias/aws/x is not found.",
	} {
		refused(t, id, put(id), "InvalidKeyId", want)
	}
}

// [D] Who writes and reads a SecureString with a key of the customer's needs that key, through the Parameter Store and with the
// parameter's encryption context; advanced ones are written with a data key. With the default key nobody needs anything.
func TestKeyIsAsked(t *testing.T) {
	w := newWorld(t)
	key := w.Key(endpoint.Account, "")
	as := func(name, actions, service string) *sdk.Client {
		return sdk.NewFromConfig(w.User(endpoint.Account, name, endpoint.Document(endpoint.Statement("Allow", "ssm:*", `"Resource":"*"`),
			endpoint.Statement("Allow", actions, `"Resource":"`+key+`","Condition":{"StringEquals":{"kms:ViaService":"`+service+`.us-east-1.amazonaws.com",
			"kms:EncryptionContext:PARAMETER_ARN":"arn:aws:ssm:us-east-1:000000000000:parameter/a/b"}}`))))
	}
	put := func(by *sdk.Client, name, key, tier string) error {
		in := &sdk.PutParameterInput{Name: &name, Value: aws.String("sesame"), Type: "SecureString", Overwrite: aws.Bool(true), Tier: types.ParameterTier(tier)}
		if key != "" {
			in.KeyId = &key
		}
		_, err := by.PutParameter(t.Context(), in)
		return err
	}
	get := func(by *sdk.Client, name string) error {
		out, err := by.GetParameter(t.Context(), &sdk.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
		if err == nil && *out.Parameter.Value != "sesame" {
			t.Errorf("%s is %s", name, *out.Parameter.Value)
		}
		return err
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	encrypts, generates, reads, elsewhere := as("e", "kms:Encrypt", "ssm"), as("g", "kms:GenerateDataKey", "ssm"), as("r", "kms:Decrypt", "ssm"), as("x", "kms:*", "secretsmanager")
	must(put(elsewhere, "/default", "", "Standard"))
	must(get(elsewhere, "/default"))
	const no = "(Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException"
	for _, tier := range []string{"Standard", "Advanced"} {
		may, mayNot := encrypts, generates
		if tier == "Advanced" {
			may, mayNot = generates, encrypts
		}
		refused(t, tier, put(mayNot, "/a/b", key, tier), "AccessDeniedException", no)
		refused(t, tier, put(elsewhere, "/a/b", key, tier), "AccessDeniedException", no)
		refused(t, "another parameter", put(may, "/a/c", key, tier), "AccessDeniedException", no)
		must(put(may, "/a/b", key, tier))
		refused(t, tier, get(may, "/a/b"), "AccessDeniedException", no)
		refused(t, tier, get(elsewhere, "/a/b"), "AccessDeniedException", no)
		must(get(reads, "/a/b"))
	}
	w.Update(func(tx *state.Tx) {
		k := *tx.KMSKeyByID(model.Scope{}, key)
		k.Disabled = true
		tx.KMSKeys.Put(&k)
	})
	refused(t, "disabled", get(reads, "/a/b"), "InvalidKeyId", key+" is disabled. (Service: AWSKMS; Status Code: 400; Error Code: DisabledException")
	out, err := reads.GetParameter(t.Context(), &sdk.GetParameterInput{Name: aws.String("/a/b")})
	if err != nil || strings.Contains(*out.Parameter.Value, "sesame") {
		t.Errorf("without decryption: %+v, %v", out, err)
	}
}

// [I] Values from before they were encrypted with keys of KMS are read as they were written.
func TestOldValues(t *testing.T) {
	w := newWorld(t)
	w.put("/old", "new", secure)
	w.Update(func(tx *state.Tx) {
		have, _ := tx.ParameterVersions.Get(model.ParameterVersionKey(model.Scope{Account: endpoint.Account, Region: endpoint.Region}, "/old", 1))
		v := *have
		v.Wrapped, v.Sealed = false, w.Seal.Seal([]byte("sesame"), v.Key())
		tx.ParameterVersions.Put(&v)
	})
	if got := w.get("/old"); got != "/old=sesame v1" {
		t.Error(got)
	}
}

// [D] A hundred versions are kept, unless the oldest has a label.
func TestVersions(t *testing.T) {
	w := newWorld(t)
	for i := range 103 {
		w.put("/v", fmt.Sprint(i), overwrite)
	}
	row, _ := w.DB.Snapshot().Parameters.Get("000000000000/us-east-1//v")
	if n := w.DB.Snapshot().ParameterVersions.Len(); n != 100 || row.Oldest != 4 || row.Version != 103 {
		t.Errorf("%d versions, %d to %d", n, row.Oldest, row.Version)
	}
	label := func(version int64, labels ...string) *sdk.LabelParameterVersionOutput {
		out, err := w.LabelParameterVersion(t.Context(), &sdk.LabelParameterVersionInput{Name: aws.String("/v"), ParameterVersion: &version, Labels: labels})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := label(4, "keep", "aws-x", "1st"); fmt.Sprint(out.InvalidLabels) != "[aws-x 1st]" || out.ParameterVersion != 4 {
		t.Errorf("%+v", out)
	}
	_, err := w.PutParameter(t.Context(), &sdk.PutParameterInput{Name: aws.String("/v"), Value: aws.String("x"), Overwrite: aws.Bool(true)})
	refused(t, "the oldest has a label", err, "ParameterMaxVersionLimitExceeded", "Version 4, the oldest version, can't be deleted")
	label(50, "keep") // a label moves
	if w.put("/v", "x", overwrite) != 104 || w.get("/v:keep") != "/v=49 v50:keep" {
		t.Error("the label has not moved")
	}
	out, err := w.UnlabelParameterVersion(t.Context(), &sdk.UnlabelParameterVersionInput{Name: aws.String("/v"), ParameterVersion: aws.Int64(50), Labels: []string{"keep", "no"}})
	if err != nil || fmt.Sprint(out.RemovedLabels, out.InvalidLabels) != "[keep] [no]" {
		t.Errorf("%+v, %v", out, err)
	}
	seen := 0
	for p := sdk.NewGetParameterHistoryPaginator(w.Client, &sdk.GetParameterHistoryInput{Name: aws.String("/v")}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page.Parameters)
	}
	if seen != 100 {
		t.Errorf("history of %d", seen)
	}
}

// [D] Parameters are found by path, and by what they are.
func TestSearch(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"/app/a", "/app/b", "/app/deep/c", "/apple", "top"} {
		w.put(name, name)
	}
	w.put("/app/s", "x", secure)
	byPath := func(path string, recursive bool) (names []string) {
		for p := sdk.NewGetParametersByPathPaginator(w.Client, &sdk.GetParametersByPathInput{Path: &path, Recursive: &recursive, MaxResults: aws.Int32(2)}); p.HasMorePages(); {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range page.Parameters {
				names = append(names, *x.Name)
			}
		}
		return names
	}
	for want, got := range map[string][]string{
		"[/app/a /app/b /app/s]": byPath("/app", false), "[/app/a /app/b /app/deep/c /app/s]": byPath("/app/", true),
		"[/apple]": byPath("/", false), "[]": byPath("/none", true),
	} {
		if fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
	_, err := w.AddTagsToResource(t.Context(), &sdk.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: aws.String("top"),
		Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("prod")}}})
	if err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]types.ParameterStringFilter{
		"[/app/s]":               {Key: aws.String("Type"), Values: []string{"SecureString"}},
		"[/app/deep/c]":          {Key: aws.String("Name"), Option: aws.String("Contains"), Values: []string{"deep"}},
		"[/apple]":               {Key: aws.String("Name"), Option: aws.String("BeginsWith"), Values: []string{"appl"}},
		"[top]":                  {Key: aws.String("tag:env"), Values: []string{"prod", "dev"}},
		"[/app/a /app/b /app/s]": {Key: aws.String("Path"), Values: []string{"/app"}},
	} {
		out, err := w.DescribeParameters(t.Context(), &sdk.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{f}})
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, p := range out.Parameters {
			names = append(names, *p.Name)
		}
		if fmt.Sprint(names) != want {
			t.Errorf("%+v: got %v, want %s", f, names, want)
		}
	}
	_, err = w.DescribeParameters(t.Context(), &sdk.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Color"), Values: []string{"x"}}}})
	refused(t, "a filter that is none", err, "InvalidFilterKey", "")
	tags, err := w.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: aws.String("top")})
	if err != nil || len(tags.TagList) != 1 || *tags.TagList[0].Value != "prod" {
		t.Errorf("%+v, %v", tags, err)
	}
	_, err = w.RemoveTagsFromResource(t.Context(), &sdk.RemoveTagsFromResourceInput{ResourceType: "Parameter", ResourceId: aws.String("top"), TagKeys: []string{"env"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: aws.String("none")})
	refused(t, "tags of nothing", err, "InvalidResourceId", "")
}
