package ecr_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/api/ecr"
	"github.com/roadstead/roadstead/model"
)

// The owner of a repository can read which other account has pulled what, and when; once a minute for the same pull. What was refused,
// and what he pulls himself, is no such thing.
func TestForeignPullsAreRecorded(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	digest := w.push(t, "web:1", nil)
	records := func() (out []*model.Event) {
		for e := range w.db.Snapshot().Events.All() {
			out = append(out, e)
		}
		return out
	}
	if err := w.foreign(t, "other", "web:1"); err == nil {
		t.Error("without a policy it is pulled")
	}
	if err := w.foreign(t, "test", "web:1"); err != nil {
		t.Error(err)
	}
	if got := records(); len(got) != 0 {
		t.Fatalf("recorded: %+v", got)
	}
	if _, err := w.SetRepositoryPolicy(ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: web, PolicyText: aws.String(mayPull)}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.foreign(t, "guest", "web:1"); err != nil { // a node of the other account
			t.Fatal(err)
		}
	}
	got := records()
	if len(got) != 1 {
		t.Fatalf("%d records of two pulls", len(got))
	}
	var detail map[string]string
	if err := json.Unmarshal([]byte(got[0].Detail), &detail); err != nil {
		t.Fatal(err)
	}
	if e := got[0]; e.DetailType != ecr.DetailPulled || e.Account != account || e.Resources[0] != "arn:aws:ecr:us-east-1:000000000000:repository/web" ||
		detail["imageDigest"] != digest || detail["imageTag"] != "1" || detail["repositoryName"] != "web" || detail["principalAccount"] != "111111111111" ||
		detail["principal"] != "arn:aws:sts::111111111111:assumed-role/roadstead-node/guest" {
		t.Errorf("recorded: %+v %v", *e, detail)
	}
	if err := w.foreign(t, "other", "web@"+digest); err != nil { // somebody else
		t.Fatal(err)
	}
	w.now = func() time.Time { return time.Now().Add(time.Minute) }
	in := &sdk.BatchGetImageInput{RegistryId: aws.String(account), RepositoryName: web, ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("1")}, {ImageTag: aws.String("2")}}}
	if out, err := w.other.BatchGetImage(ctx, in); err != nil || len(out.Images) != 1 {
		t.Fatal(out, err)
	}
	if got := records(); len(got) != 3 {
		t.Errorf("%d records", len(got))
	}
}
