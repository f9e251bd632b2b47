package logs_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/endpoint"
)

// forLogs makes a key that CloudWatch Logs may use for groups whose ARNs are like that, and returns its ARN.
func (w *world) forLogs(like string, change ...func(*model.KMSKey)) string {
	w.T.Helper()
	return w.Key(endpoint.Account, endpoint.Document(
		endpoint.Statement("Allow", "kms:*", `"Principal":{"AWS":"`+endpoint.Account+`"},"Resource":"*"`),
		endpoint.Statement("Allow", "kms:Encrypt kms:Decrypt kms:ReEncrypt* kms:GenerateDataKey* kms:Describe*", `"Principal":{"Service":"logs.us-east-1.amazonaws.com"},"Resource":"*",`+
			`"Condition":{"ArnLike":{"kms:EncryptionContext:aws:logs:arn":"arn:aws:logs:us-east-1:000000000000:log-group:`+like+`"}}`)), change...)
}

// change changes the row of a key.
func (w *world) change(arn string, f func(*model.KMSKey)) {
	w.T.Helper()
	w.Update(func(tx *state.Tx) {
		row := *tx.KMSKeyByID(model.Scope{Account: endpoint.Account, Region: endpoint.Region}, arn)
		f(&row)
		tx.KMSKeys.Put(&row)
	})
}

func (w *world) associate(group, key string) error {
	_, err := w.AssociateKmsKey(w.T.Context(), &sdk.AssociateKmsKeyInput{LogGroupName: &group, KmsKeyId: &key})
	return err
}

func (w *world) disassociate(t *testing.T, group string) {
	t.Helper()
	_, err := w.DisassociateKmsKey(t.Context(), &sdk.DisassociateKmsKeyInput{LogGroupName: &group})
	must(t, err)
}

// all is what a group shows, or the error.
func (w *world) all(t *testing.T, group string) (string, error) {
	t.Helper()
	out, err := w.FilterLogEvents(t.Context(), &sdk.FilterLogEventsInput{LogGroupName: &group})
	if err != nil {
		return "", err
	}
	var lines []string
	for _, e := range out.Events {
		lines = append(lines, *e.Message)
	}
	return strings.Join(lines, " "), nil
}

// groupID is a group's id in the log store.
func (w *world) groupID(name string) string {
	w.T.Helper()
	row, ok := w.DB.Snapshot().LogGroups.Get(model.Scope{Account: endpoint.Account, Region: endpoint.Region}.Key(name))
	if !ok {
		w.T.Fatalf("no group %s", name)
	}
	return row.ID
}

// holds says in how many files of the log store a word is.
func (w *world) holds(t *testing.T, word string) (n int) {
	t.Helper()
	must(t, filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(word)) {
			n++
		}
		return err
	}))
	return n
}

// [D] What comes after a key is associated is encrypted with it, what came before is not, nor what comes when it no longer is; all of
// it is readable, also after a restart, as long as the key is.
func TestEncryptedGroup(t *testing.T) {
	w := stillWorld(t)
	ctx, key := t.Context(), w.forLogs("*")
	w.create(t, "g", "s")
	w.put(t, "g", "s", "1 before")
	must(t, w.associate("g", key))
	w.put(t, "g", "s", "2 sesame", "3 "+strings.Repeat("sesame", 50))
	w.disassociate(t, "g")
	w.put(t, "g", "s", "4 after")
	if a, b, c := w.holds(t, "before"), w.holds(t, "sesame"), w.holds(t, "after"); a == 0 || b > 0 || c == 0 {
		t.Errorf("before stands in %d files, the encrypted word in %d, after in %d", a, b, c)
	}
	want := "before sesame " + strings.Repeat("sesame", 50) + " after"
	if got, err := w.all(t, "g"); got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	w.restart(t)
	if got, err := w.all(t, "g"); got != want || err != nil {
		t.Errorf("after a restart: %q, %v", got, err)
	}

	g, err := w.api.Store.Group(w.groupID("g"))
	must(t, err)
	gone := func(want bool) {
		t.Helper()
		lost := false
		for _, err := range g.Arrivals(0, nil) {
			lost = lost || errors.Is(err, logstore.ErrGone)
		}
		if lost != want {
			t.Errorf("gone for good: %v", lost)
		}
	}
	w.change(key, func(row *model.KMSKey) { row.Disabled = true })
	gone(false)
	_, err = w.all(t, "g")
	wantError(t, err, "InvalidParameterException", "is disabled.")
	_, err = w.GetLogEvents(ctx, &sdk.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")})
	wantError(t, err, "InvalidParameterException", "is disabled.")
	out, err := w.FilterLogEvents(ctx, &sdk.FilterLogEventsInput{LogGroupName: aws.String("g"), StartTime: aws.Int64(begin.UnixMilli() + 4000)})
	if err != nil || len(out.Events) != 1 {
		t.Errorf("what is not encrypted: %+v, %v", out, err)
	}
	w.put(t, "g", "s", "5 more") // and its journal is sealed meanwhile
	w.put(t, "g", "s", "6 "+strings.Repeat("x", 500))
	w.change(key, func(row *model.KMSKey) { row.Disabled = false })
	if got, err := w.all(t, "g"); !strings.HasPrefix(got, want+" more xxx") || err != nil {
		t.Errorf("enabled again: %q, %v", got, err)
	}
	w.change(key, func(row *model.KMSKey) { row.GoneAt = w.Now().UnixMilli() + 1000 })
	gone(false) // it may be taken back
	w.change(key, func(row *model.KMSKey) { row.GoneAt = w.Now().UnixMilli() - 1 })
	gone(true)
	_, err = w.all(t, "g")
	wantError(t, err, "AccessDeniedException", "The specified KMS key does not exist or is not allowed to be used with Arn 'arn:aws:logs:us-east-1:000000000000:log-group:g'")
}

// restart serves the rows and the log store by another API, as a new process does.
func (w *world) restart(t *testing.T) {
	t.Helper()
	w.api = w.open(t, w.dir)
	w.Serve(w.api.Mux())
	w.Client = sdk.NewFromConfig(w.As("test"))
}

// [D] A group whose key cannot be used takes nothing; when it can be again, it does.
func TestWritesNeedTheKey(t *testing.T) {
	w := stillWorld(t)
	ctx, key := t.Context(), w.forLogs("*")
	_, err := w.CreateLogGroup(ctx, &sdk.CreateLogGroupInput{LogGroupName: aws.String("g"), KmsKeyId: &key})
	must(t, err)
	_, err = w.CreateLogStream(ctx, &sdk.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")})
	must(t, err)
	w.put(t, "g", "s", "1 one")
	groups, err := w.DescribeLogGroups(ctx, &sdk.DescribeLogGroupsInput{})
	if err != nil || aws.ToString(groups.LogGroups[0].KmsKeyId) != key {
		t.Errorf("%+v, %v", groups, err)
	}
	policy := ""
	for what, c := range map[string]struct {
		change, back func(*model.KMSKey)
		code         string
	}{
		"disabled": {func(row *model.KMSKey) { row.Disabled = true }, func(row *model.KMSKey) { row.Disabled = false }, "InvalidParameterException"},
		"dying":    {func(row *model.KMSKey) { row.GoneAt = w.Now().UnixMilli() + 1e6 }, func(row *model.KMSKey) { row.GoneAt = 0 }, "InvalidParameterException"},
		"of another policy": {func(row *model.KMSKey) {
			policy, row.Policy = row.Policy, endpoint.Document(endpoint.Statement("Allow", "kms:*", `"Principal":{"AWS":"000000000000"},"Resource":"*"`))
		}, func(row *model.KMSKey) { row.Policy = policy }, "AccessDeniedException"},
	} {
		w.change(key, c.change)
		_, err := w.tryPut(ctx, "g", "s", "2 lost")
		wantError(t, err, c.code, "")
		if _, err := w.all(t, "g"); err == nil {
			t.Errorf("%s: it is read", what)
		}
		w.change(key, c.back)
	}
	w.put(t, "g", "s", "3 three")
	if got, err := w.all(t, "g"); got != "one three" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	w.Day(2) // another data key
	w.put(t, "g", "s", "90000 four")
	if got, err := w.all(t, "g"); got != "one three four" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// [D] Only a symmetric key that is enabled, and whose policy lets CloudWatch Logs use it for the group, is taken.
func TestKeysThatAreRefused(t *testing.T) {
	w := stillWorld(t)
	w.create(t, "g", "s")
	const denied = "The specified KMS key does not exist or is not allowed to be used with Arn 'arn:aws:logs:us-east-1:000000000000:log-group:g'"
	for what, c := range map[string]struct{ key, code, text string }{
		"of no such policy": {w.Key(endpoint.Account, ""), "AccessDeniedException", denied},
		"for other groups":  {w.forLogs("other"), "AccessDeniedException", denied},
		"none":              {"arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab", "AccessDeniedException", denied},
		"by its id":         {"1234abcd-12ab-34cd-56ef-1234567890ab", "InvalidParameterException", "The specified KMS Key Id could not be found. 'g'"},
		"an alias":          {"arn:aws:kms:us-east-1:000000000000:alias/a", "InvalidParameterException", "could not be found"},
		"disabled":          {w.forLogs("g", func(row *model.KMSKey) { row.Disabled = true }), "InvalidParameterException", "is disabled."},
		"for signatures":    {w.forLogs("g", func(row *model.KMSKey) { row.Spec, row.Usage = "ECC_NIST_P256", "SIGN_VERIFY" }), "InvalidParameterException", "symmetric"},
		"pending import":    {w.forLogs("g", func(row *model.KMSKey) { row.External, row.Materials = true, nil }), "InvalidParameterException", "is pending import."},
	} {
		t.Run(what, func(t *testing.T) { wantError(t, w.associate("g", c.key), c.code, c.text) })
		_, err := w.CreateLogGroup(t.Context(), &sdk.CreateLogGroupInput{LogGroupName: aws.String("new"), KmsKeyId: &c.key})
		if err == nil {
			t.Errorf("%s: a group was made", what)
		}
	}
	must(t, w.associate("g", w.forLogs("g")))
	wantError(t, w.associate("none", w.forLogs("none")), "ResourceNotFoundException", "")
	arn, results := "arn:aws:logs:us-east-1:000000000000:log-group:g", "arn:aws:logs:us-east-1:000000000000:query-result:*"
	for _, c := range []struct {
		in   sdk.DisassociateKmsKeyInput
		code string
	}{
		{sdk.DisassociateKmsKeyInput{LogGroupName: aws.String("g"), ResourceIdentifier: &arn}, "InvalidParameterException"},
		{sdk.DisassociateKmsKeyInput{}, "InvalidParameterException"},
		{sdk.DisassociateKmsKeyInput{ResourceIdentifier: &results}, "UnsupportedFeatureException"},
	} {
		_, err := w.DisassociateKmsKey(t.Context(), &c.in)
		wantError(t, err, c.code, "")
	}
	_, err := w.DisassociateKmsKey(t.Context(), &sdk.DisassociateKmsKeyInput{ResourceIdentifier: &arn})
	must(t, err)
	groups, err := w.DescribeLogGroups(t.Context(), &sdk.DescribeLogGroupsInput{})
	if err != nil || groups.LogGroups[0].KmsKeyId != nil {
		t.Errorf("%+v, %v", groups, err)
	}
}

// ask runs a query over a group, and returns how it ended.
func (w *world) ask(t *testing.T, group string) types.QueryStatus {
	t.Helper()
	q, err := w.StartQuery(t.Context(), &sdk.StartQueryInput{
		QueryString: aws.String("fields @message"), LogGroupName: &group, StartTime: aws.Int64(begin.Unix()), EndTime: aws.Int64(begin.Unix() + 3600),
	})
	must(t, err)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		out, err := w.GetQueryResults(t.Context(), &sdk.GetQueryResultsInput{QueryId: q.QueryId})
		must(t, err)
		if out.Status != types.QueryStatusRunning && out.Status != types.QueryStatusScheduled {
			return out.Status
		}
		<-tick.C
	}
}

// [I] A query over a group whose key cannot be used fails.
func TestQueriesNeedTheKey(t *testing.T) {
	w := newWorld(t)
	key := w.forLogs("*")
	w.create(t, "g", "s")
	must(t, w.associate("g", key))
	w.put(t, "g", "s", "1 sesame")
	if got := w.ask(t, "g"); got != types.QueryStatusComplete {
		t.Errorf("with the key: %s", got)
	}
	w.change(key, func(row *model.KMSKey) { row.Disabled = true })
	if got := w.ask(t, "g"); got != types.QueryStatusFailed {
		t.Errorf("without: %s", got)
	}
}
