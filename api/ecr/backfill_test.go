package ecr_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// filled is what a backfill has come to: "STATUS TOTAL COMPLETED FAILED [CODES]", and its results.
func (w *world) filled(t *testing.T, id *string) (string, []types.ReplicationBackfillResult) {
	t.Helper()
	out, err := w.DescribeReplicationBackfillResults(t.Context(), &sdk.DescribeReplicationBackfillResultsInput{ReplicationBackfillId: id})
	if err != nil {
		t.Fatal(err)
	}
	text := string(out.Status)
	if p := out.Progress; p != nil {
		text += fmt.Sprint(" ", *p.TotalReplicationCount, " ", *p.CompletedReplicationCount, " ", *p.FailedReplicationCount, " ", p.FailureCodes)
	}
	return text, out.Results
}

// [D] A backfill copies what was pushed before there was a rule, and what it could not it says; it can be stopped.
func TestBackfill(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "prod/web", "test/web")
	one := w.push(t, "prod/web:1", nil)
	w.push(t, "test/web:1", nil)
	w.age(t)
	west, there := destination(account, "eu-west-1"), destination(elsewhere, "us-east-1")
	start := func(to types.ReplicationDestination) (*sdk.StartReplicationBackfillOutput, error) {
		return w.StartReplicationBackfill(ctx, &sdk.StartReplicationBackfillInput{Destination: &to})
	}
	_, err := start(west)
	wantError(t, err, "InvalidParameterException", "replication configuration")
	if err := replicates(t, w.Client, rule("prod/", west, there)); err != nil {
		t.Fatal(err)
	}
	w.api.Replicate(ctx)
	if got := w.copies(t, "prod/web", "1"); got != "" {
		t.Errorf("before: %s", got)
	}
	first, err := start(west)
	if err != nil || first.Status != types.ReplicationBackfillStatusPreparing {
		t.Fatal(first, err)
	}
	_, err = start(west)
	wantError(t, err, "ReplicationBackfillInProgressException", "")
	second, err := start(there)
	if err != nil {
		t.Fatal(err)
	}
	if got, results := w.filled(t, first.ReplicationBackfillId); got != "PREPARING" || len(results) != 0 {
		t.Errorf("at first: %s %+v", got, results)
	}
	w.api.Replicate(ctx)
	got, results := w.filled(t, first.ReplicationBackfillId)
	if got != "COMPLETE 1 1 0 []" || len(results) != 1 || *results[0].ImageId.ImageDigest != one || *results[0].ImageId.ImageTag != "1" || *results[0].RepositoryName != "prod/web" {
		t.Errorf("to another Region: %s %+v", got, results)
	}
	if tags := in(t, w.west(), "prod/web"); len(tags) != 1 || tags["1"] != one {
		t.Errorf("tags %v", tags)
	}
	got, results = w.filled(t, second.ReplicationBackfillId)
	if got != "COMPLETE 1 0 1 [AccessDeniedException]" || len(results) != 1 || results[0].Status != types.ReplicationBackfillResultStatusFailed {
		t.Errorf("to an account that does not let it: %s %+v", got, results)
	}
	if _, err := w.other.PutRegistryPolicy(ctx, &sdk.PutRegistryPolicyInput{PolicyText: aws.String(lets)}); err != nil {
		t.Fatal(err)
	}
	third, err := start(there)
	if err != nil {
		t.Fatal(err)
	}
	stop := func(id *string) (*sdk.StopReplicationBackfillOutput, error) {
		return w.StopReplicationBackfill(ctx, &sdk.StopReplicationBackfillInput{ReplicationBackfillId: id})
	}
	if out, err := stop(third.ReplicationBackfillId); err != nil || out.Status != types.ReplicationBackfillStatusStopped {
		t.Error(out, err)
	}
	_, err = stop(third.ReplicationBackfillId)
	wantError(t, err, "ReplicationBackfillInvalidStatusException", "STOPPED")
	_, err = stop(aws.String("none"))
	wantError(t, err, "ReplicationBackfillNotFoundException", "")
	w.api.Replicate(ctx)
	if got, _ := w.filled(t, third.ReplicationBackfillId); got != "STOPPED" {
		t.Errorf("stopped: %s", got)
	}
	fourth, err := start(there)
	if err != nil {
		t.Fatal(err)
	}
	w.api.Replicate(ctx)
	if got, _ := w.filled(t, fourth.ReplicationBackfillId); got != "COMPLETE 1 1 0 []" {
		t.Errorf("when it is allowed: %s", got)
	}
	if tags := in(t, w.other, "prod/web"); len(tags) != 1 || tags["1"] != one {
		t.Errorf("tags %v", tags)
	}
	all, err := w.ListReplicationBackfills(ctx, nil)
	if err != nil || len(all.Backfills) != 4 {
		t.Errorf("%+v %v", all, err)
	}
	if none, err := w.other.ListReplicationBackfills(ctx, nil); err != nil || len(none.Backfills) != 0 {
		t.Errorf("another account sees %+v %v", none, err)
	}
	w.now = func() time.Time { return time.Now().Add(91 * 24 * time.Hour) }
	w.api.Replicate(ctx)
	if all, err := w.ListReplicationBackfills(ctx, nil); err != nil || len(all.Backfills) != 0 {
		t.Errorf("after 91 days: %+v %v", all, err)
	}
}
