package ecr

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// scanPause is how long after a scan an image is not scanned again on demand [D].
const scanPause = 24 * time.Hour

// startImageScan notes that somebody wants a scan; Run has it done.
func (a *API) startImageScan(ctx context.Context, in *ecr.StartImageScanInput) (*ecr.StartImageScanOutput, error) {
	row, digest, err := a.scanned(ctx, in.RegistryId, in.RepositoryName, in.ImageId)
	if err != nil {
		return nil, err
	}
	images, err := a.Images.Repository(ctx, row.Scope, row.Name)
	if err != nil {
		return nil, err
	}
	if archived, err := a.inArchive(ctx, row, images, digest); err != nil {
		return nil, err
	} else if archived {
		return nil, model.Errorf("ImageArchivedException", "The specified image is archived and cannot be scanned.") // [D]
	}
	if a.Scanner == "" {
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead scans no images by itself: start the server with --image-scanner URL.")
	}
	if err := a.beginScan(ctx, row, digest, true); err != nil {
		return nil, err
	}
	return &ecr.StartImageScanOutput{
		ImageId: in.ImageId, ImageScanStatus: &types.ImageScanStatus{Status: types.ScanStatusInProgress},
		RegistryId: aws.String(row.Account), RepositoryName: aws.String(row.Name),
	}, nil
}

// scanned finds the image that a request about scans names.
func (a *API) scanned(ctx context.Context, registryID, name *string, id *types.ImageIdentifier) (*model.Repository, string, error) {
	row, images, err := a.open(ctx, registryID, name)
	if err != nil {
		return nil, "", err
	}
	if id == nil {
		return nil, "", invalid("imageId", "Member must not be null")
	}
	if f := checkID(*id); f != nil {
		return nil, "", invalid("imageId", value(f.FailureReason))
	}
	m, err := images.Manifest(ctx, reference(*id))
	return row, m.Digest, err
}

// beginScan makes the row of a scan, unless the image was scanned a short time ago: again is an error, if somebody asked for it.
func (a *API) beginScan(ctx context.Context, r *model.Repository, digest string, asked bool) error {
	now := a.Now().UnixMilli()
	err := a.DB.Update(ctx, func(tx *state.Tx) error {
		scan := &model.ImageScan{Scope: r.Scope, Repository: r.Name, Digest: digest, Status: string(types.ScanStatusInProgress), StartedAt: now}
		last, ok := tx.ImageScans.Get(scan.Key())
		switch {
		case ok && !asked:
			return nil
		case ok && last.Status != string(types.ScanStatusFailed) && now-last.StartedAt < scanPause.Milliseconds():
			return model.Errorf("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.") // [O]
		}
		tx.ImageScans.Put(scan)
		return nil
	})
	select {
	case a.asked <- struct{}{}:
	default: // somebody has woken it
	}
	return err
}

func (a *API) describeImageScanFindings(ctx context.Context, in *ecr.DescribeImageScanFindingsInput) (*ecr.DescribeImageScanFindingsOutput, error) {
	row, digest, err := a.scanned(ctx, in.RegistryId, in.RepositoryName, in.ImageId)
	if err != nil {
		return nil, err
	}
	scan, ok := a.DB.Snapshot().ImageScans.Get(model.ImageScanKey(row.Scope, row.Name, digest))
	if !ok {
		return nil, errNoScan(row, reference(*in.ImageId))
	}
	id := *in.ImageId
	id.ImageDigest = aws.String(digest)
	out := &ecr.DescribeImageScanFindingsOutput{
		ImageId: &id, ImageScanStatus: scanStatus(scan), RegistryId: aws.String(row.Account), RepositoryName: aws.String(row.Name),
	}
	if scan.Status != string(types.ScanStatusComplete) {
		return out, nil
	}
	numbered := make([]int, len(scan.Findings))
	for i := range numbered {
		numbered[i] = i
	}
	page, next, err := pageOf("DescribeImageScanFindings", []string{scan.Key(), time.UnixMilli(scan.StartedAt).String()}, numbered,
		func(i int) string { return fmt.Sprintf("%09d", i) }, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out.NextToken = next
	out.ImageScanFindings = &types.ImageScanFindings{
		Findings: []types.ImageScanFinding{}, FindingSeverityCounts: severities(scan),
		ImageScanCompletedAt: timeOf(scan.CompletedAt), VulnerabilitySourceUpdatedAt: timeOf(scan.SourceAt),
	}
	for _, i := range page {
		out.ImageScanFindings.Findings = append(out.ImageScanFindings.Findings, showFinding(&scan.Findings[i]))
	}
	return out, nil
}

func showFinding(f *model.ScanFinding) types.ImageScanFinding {
	out := types.ImageScanFinding{Name: aws.String(f.Name), Severity: types.FindingSeverity(f.Severity), Description: given(f.Description), Uri: given(f.URI)}
	for _, t := range f.Attributes {
		out.Attributes = append(out.Attributes, types.Attribute{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	return out
}

func scanStatus(s *model.ImageScan) *types.ImageScanStatus {
	out := &types.ImageScanStatus{Status: types.ScanStatus(s.Status), Description: given(s.Description)}
	if s.Status == string(types.ScanStatusComplete) {
		out.Description = aws.String("The scan was completed successfully.") // [O]
	}
	return out
}

func severities(s *model.ImageScan) map[string]int32 {
	counts := map[string]int32{}
	for _, f := range s.Findings {
		counts[f.Severity]++
	}
	return counts
}

// showScan adds what is known of an image's last scan.
func showScan(d *types.ImageDetail, t *state.Tables, r *model.Repository) {
	scan, ok := t.ImageScans.Get(model.ImageScanKey(r.Scope, r.Name, value(d.ImageDigest)))
	if !ok {
		return
	}
	d.ImageScanStatus = scanStatus(scan)
	if scan.Status == string(types.ScanStatusComplete) {
		d.ImageScanFindingsSummary = &types.ImageScanFindingsSummary{
			FindingSeverityCounts: severities(scan), ImageScanCompletedAt: timeOf(scan.CompletedAt), VulnerabilitySourceUpdatedAt: timeOf(scan.SourceAt),
		}
	}
}
