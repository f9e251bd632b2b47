package ecr_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// scanner is one that finds three things in every image, or answers what status says.
type scanner struct {
	status atomic.Int64
	asked  atomic.Int64
	last   atomic.Value // string: the image that it was asked for
}

func (s *scanner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Image, Digest, Manifest, Repository string }
	if json.NewDecoder(r.Body).Decode(&in) != nil || !strings.Contains(in.Manifest, "layers") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.asked.Add(1)
	s.last.Store(in.Image)
	w.WriteHeader(int(s.status.Load()))
	fmt.Fprint(w, `{"vulnerabilitySourceUpdatedAt":"2026-05-01T00:00:00Z","findings":[
		{"name":"CVE-3","severity":"LOW"},{"name":"CVE-2","severity":"odd"},
		{"name":"CVE-1","severity":"CRITICAL","uri":"https://example.com/1","description":"bad","attributes":{"package_version":"1","package_name":"ssl"}}]}`)
}

// [D] A scan that somebody starts: in progress, then its findings, the worst first, in pages; not again within 24 hours.
func TestImageScan(t *testing.T) {
	hook := &scanner{}
	hook.status.Store(http.StatusInternalServerError)
	s := httptest.NewServer(hook)
	defer s.Close()
	w, ctx := newScannedWorld(t, s.URL), t.Context()
	w.create(t, "web")
	digest := w.push(t, "web:1", nil)
	id := byTag("1")
	_, err := w.DescribeImageScanFindings(ctx, &sdk.DescribeImageScanFindingsInput{RepositoryName: web, ImageId: &id})
	wantError(t, err, "ScanNotFoundException", "Image scan does not exist for the image with '{imageDigest:'null', imageTag:'1'}' in the repository with name 'web'")
	_, err = w.StartImageScan(ctx, &sdk.StartImageScanInput{RepositoryName: web, ImageId: &types.ImageIdentifier{ImageTag: aws.String("nil")}})
	wantError(t, err, "ImageNotFoundException", "")

	start := func() error {
		out, err := w.StartImageScan(ctx, &sdk.StartImageScanInput{RepositoryName: web, ImageId: &id})
		if err == nil && (out.ImageScanStatus.Status != "IN_PROGRESS" || *out.RegistryId != account) {
			t.Errorf("%+v", out)
		}
		return err
	}
	describe := func() *sdk.DescribeImageScanFindingsOutput {
		t.Helper()
		out, err := w.DescribeImageScanFindings(ctx, &sdk.DescribeImageScanFindingsInput{RepositoryName: web, ImageId: &id, MaxResults: aws.Int32(2)})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	if out := describe(); out.ImageScanStatus.Status != "IN_PROGRESS" || out.ImageScanFindings != nil {
		t.Errorf("%+v", out)
	}
	wantError(t, start(), "LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.")
	w.api.Scan(ctx)
	if out := describe(); out.ImageScanStatus.Status != "FAILED" || !strings.Contains(*out.ImageScanStatus.Description, "500") {
		t.Errorf("%+v", out)
	}
	hook.status.Store(http.StatusOK)
	if err := start(); err != nil { // what failed may be tried again
		t.Fatal(err)
	}
	w.api.Scan(ctx)
	out := describe()
	if out.ImageScanStatus.Status != "COMPLETE" || *out.ImageId.ImageDigest != digest || out.NextToken == nil || len(out.ImageScanFindings.Findings) != 2 ||
		out.ImageScanFindings.FindingSeverityCounts["CRITICAL"] != 1 || out.ImageScanFindings.FindingSeverityCounts["UNDEFINED"] != 1 ||
		!recent(out.ImageScanFindings.ImageScanCompletedAt) || out.ImageScanFindings.VulnerabilitySourceUpdatedAt.Year() != 2026 {
		t.Fatalf("%+v %+v", out, out.ImageScanFindings)
	}
	if f := out.ImageScanFindings.Findings[0]; *f.Name != "CVE-1" || f.Severity != "CRITICAL" || *f.Uri != "https://example.com/1" || *f.Attributes[0].Key != "package_name" {
		t.Errorf("%+v", f)
	}
	if image := hook.last.Load().(string); image != w.host+"/web@"+digest {
		t.Error(image)
	}
	d, err := w.DescribeImages(ctx, &sdk.DescribeImagesInput{RepositoryName: web})
	if err != nil || d.ImageDetails[0].ImageScanStatus.Status != "COMPLETE" || d.ImageDetails[0].ImageScanFindingsSummary.FindingSeverityCounts["LOW"] != 1 {
		t.Error(d, err)
	}
	wantError(t, start(), "LimitExceededException", "")
	w.now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	if err := start(); err != nil {
		t.Error(err)
	}
	// It goes with its image.
	if _, err := w.BatchDeleteImage(ctx, &sdk.BatchDeleteImageInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{id}}); err != nil {
		t.Fatal(err)
	}
	w.api.Scan(ctx)
	for scan := range w.db.Snapshot().ImageScans.All() {
		t.Errorf("left: %+v", scan)
	}
}

// [D] Pushed images are scanned where they are to be, once; without a scanner nothing is, and StartImageScan says so.
func TestScanOnPush(t *testing.T) {
	hook := &scanner{}
	hook.status.Store(http.StatusOK)
	s := httptest.NewServer(hook)
	defer s.Close()
	w, ctx := newScannedWorld(t, s.URL), t.Context()
	w.create(t, "web", "other")
	if _, err := w.PutImageScanningConfiguration(ctx, &sdk.PutImageScanningConfigurationInput{RepositoryName: web,
		ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true}}); err != nil {
		t.Fatal(err)
	}
	w.push(t, "web:1", nil)
	w.push(t, "other:1", nil)
	w.api.Scan(ctx)
	w.api.Scan(ctx)
	if n := hook.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	w.push(t, "web:2", nil)
	w.now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	w.api.Scan(ctx)
	if n := hook.asked.Load(); n != 1 {
		t.Errorf("an old image: asked %d times", n)
	}

	none := newWorld(t)
	none.create(t, "web")
	none.push(t, "web:1", nil)
	id := byTag("1")
	_, err := none.StartImageScan(ctx, &sdk.StartImageScanInput{RepositoryName: web, ImageId: &id})
	wantError(t, err, "UnsupportedFeatureException", "--image-scanner")
}

// An image whose scan takes long holds up no other, and is asked about once at a time, however often it is due; all that are due at once
// are not asked about at once.
func TestSlowScans(t *testing.T) {
	arrived, release := make(chan string, 100), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Repository string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		arrived <- in.Repository
		if strings.HasPrefix(in.Repository, "slow") {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		fmt.Fprint(w, `{"findings":[]}`)
	}))
	defer s.Close()
	w := newScannedWorld(t, s.URL)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.api.Run(ctx) }()
	defer func() { cancel(); <-done }()

	id := byTag("1")
	scan := func(name string) string {
		t.Helper()
		w.create(t, name)
		w.push(t, name+":1", nil)
		if _, err := w.StartImageScan(ctx, &sdk.StartImageScanInput{RepositoryName: &name, ImageId: &id}); err != nil {
			t.Fatal(err)
		}
		return name
	}
	next := func(want string) {
		t.Helper()
		select {
		case got := <-arrived:
			if got != want {
				t.Errorf("the scanner is asked about %s, not %s", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("the scanner is not asked about %s", want)
		}
	}
	complete := func(name string) {
		t.Helper()
		snap, cursor := w.db.Watch()
		for tables := snap.Tables; ; {
			for row := range tables.ImageScans.All() {
				if row.Repository == name && row.Status == "COMPLETE" {
					return
				}
			}
			r, err := cursor.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			tables = r.Snapshot.Tables
		}
	}
	for i := range 3 {
		next(scan(fmt.Sprintf("slow%d", i)))
	}
	for i := range 3 { // one after the other, beside those that hang
		name := scan(fmt.Sprintf("quick%d", i))
		next(name)
		complete(name)
	}
	next(scan("slow3"))
	name := scan("quick3") // four hang
	for i := range 20 {    // a fifth would be asked about meanwhile
		w.push(t, fmt.Sprintf("quick3:%d", i), nil)
	}
	select {
	case got := <-arrived:
		t.Errorf("the scanner is asked about %s at the same time as four others", got)
	default:
	}
	release <- struct{}{}
	next(name)
	complete(name)
	close(release)
	for i := range 4 {
		complete(fmt.Sprintf("slow%d", i))
	}
}
