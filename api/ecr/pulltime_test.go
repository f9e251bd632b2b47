package ecr_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
)

// [D] The last pull of an image is shown, within an hour; pulls of those who are excluded are none.
func TestPullTimes(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	digest := w.push(t, "web:1", nil)
	last := func() *time.Time {
		t.Helper()
		out, err := w.DescribeImages(ctx, &sdk.DescribeImagesInput{RepositoryName: web})
		if err != nil || len(out.ImageDetails) != 1 {
			t.Fatal(out, err)
		}
		return out.ImageDetails[0].LastRecordedPullTime
	}
	if got := last(); got != nil {
		t.Errorf("before any pull: %s", got)
	}
	for _, role := range []string{"arn:aws:iam::000000000000:role/ci/scanner", "arn:aws:iam::000000000000:user/ann"} {
		if _, err := w.RegisterPullTimeUpdateExclusion(ctx, &sdk.RegisterPullTimeUpdateExclusionInput{PrincipalArn: &role}); err != nil {
			t.Fatal(err)
		}
	}
	by := func(principal string) {
		t.Helper()
		err := w.api.Pulled(ctx, registry.Pull{Scope: model.Scope{Account: account, Region: "us-east-1"}, Repository: "web", Digest: digest, Principal: principal, PrincipalsAccount: account})
		if err != nil {
			t.Fatal(err)
		}
	}
	by("arn:aws:sts::000000000000:assumed-role/scanner/session")
	by("arn:aws:iam::000000000000:user/ann")
	if got := last(); got != nil {
		t.Errorf("after pulls of those who are excluded: %s", got)
	}
	w.pulls(t, "web:1", digest, "a pull")
	first := last()
	if !recent(first) {
		t.Fatalf("after a pull: %v", first)
	}
	w.now = func() time.Time { return first.Add(59 * time.Minute) }
	w.pulls(t, "web:1", digest, "within the hour")
	if got := last(); !got.Equal(*first) {
		t.Errorf("within the hour: %s", got)
	}
	w.now = func() time.Time { return first.Add(time.Hour) }
	by("arn:aws:sts::000000000000:assumed-role/other/session")
	if got := last(); !got.Equal(first.Add(time.Hour)) {
		t.Errorf("an hour later: %s", got)
	}
}

// [D] Exclusions are registered once, listed, and taken away.
func TestPullTimeExclusions(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	register := func(arn string) error {
		_, err := w.RegisterPullTimeUpdateExclusion(ctx, &sdk.RegisterPullTimeUpdateExclusionInput{PrincipalArn: &arn})
		return err
	}
	const role = "arn:aws:iam::000000000000:role/scanner"
	if err := register(role); err != nil {
		t.Fatal(err)
	}
	wantError(t, register(role), "ExclusionAlreadyExistsException", "The specified pull time update exclusion already exists for the registry.")
	wantError(t, register("arn:aws:iam::000000000000:root"), "InvalidParameterException", "principalArn")
	if out, err := w.ListPullTimeUpdateExclusions(ctx, nil); err != nil || len(out.PullTimeUpdateExclusions) != 1 || out.PullTimeUpdateExclusions[0] != role {
		t.Errorf("%+v %v", out, err)
	}
	if out, err := w.other.ListPullTimeUpdateExclusions(ctx, nil); err != nil || len(out.PullTimeUpdateExclusions) != 0 {
		t.Errorf("another account sees %+v %v", out, err)
	}
	if _, err := w.DeregisterPullTimeUpdateExclusion(ctx, &sdk.DeregisterPullTimeUpdateExclusionInput{PrincipalArn: aws.String(role)}); err != nil {
		t.Fatal(err)
	}
	_, err := w.DeregisterPullTimeUpdateExclusion(ctx, &sdk.DeregisterPullTimeUpdateExclusionInput{PrincipalArn: aws.String(role)})
	wantError(t, err, "ExclusionNotFoundException", "was not found")
}
