package ecr

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Bounds of backfills [D].
const (
	maxBackfills     = 10 // in progress at once
	defaultBackfills = 25 // of a page
	maxBackfillsPage = 50
)

// Statuses of backfills.
const (
	preparing  = string(types.ReplicationBackfillStatusPreparing)
	inProgress = string(types.ReplicationBackfillStatusInProgress)
	stopping   = string(types.ReplicationBackfillStatusStopping)
	stopped    = string(types.ReplicationBackfillStatusStopped)
	complete   = string(types.ReplicationBackfillStatusComplete)
)

// startReplicationBackfill has what a registry holds already copied to one of its destinations.
func (a *API) startReplicationBackfill(ctx context.Context, in *ecr.StartReplicationBackfillInput) (*ecr.StartReplicationBackfillOutput, error) {
	p, err := caller(ctx)
	if err == nil {
		err = ownRegistry(p, "StartReplicationBackfill", in.RegistryId)
	}
	if err != nil {
		return nil, err
	}
	row := model.Backfill{
		Scope: p.Scope(), ID: a.NewID(), To: model.Destination{RegistryID: value(in.Destination.RegistryId), Region: value(in.Destination.Region)},
		Status: preparing, StartedAt: a.Now().UnixMilli(),
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		configured := slices.ContainsFunc(registryOf(tx.Tables, row.Scope).Replication, func(r model.ReplicationRule) bool { return slices.Contains(r.To, row.To) })
		if !configured {
			return invalid("destination", "The destination must be part of the registry's replication configuration") // [D] the rule, [I] the words
		}
		n := 0
		for b := range tx.Backfills.Prefix(row.Scope.Key("")) {
			if b.EndedAt != 0 {
				continue
			}
			if n++; b.To.Region == row.To.Region {
				return model.Errorf("ReplicationBackfillInProgressException", "A replication backfill is already in progress for the specified destination Region.")
			}
		}
		if n >= maxBackfills {
			return model.Errorf("LimitExceededException", "The registry with id '%s' has %d replication backfills in progress already.", row.Account, n) // [I] the words
		}
		tx.Backfills.Put(&row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.wake()
	s := showBackfill(&row, nil)
	return &ecr.StartReplicationBackfillOutput{
		Destination: s.Destination, RegistryId: aws.String(row.Account), ReplicationBackfillId: s.ReplicationBackfillId, StartedAt: s.StartedAt, Status: s.Status,
	}, nil
}

// stopReplicationBackfill: the image that is being copied is copied to its end.
func (a *API) stopReplicationBackfill(ctx context.Context, in *ecr.StopReplicationBackfillInput) (*ecr.StopReplicationBackfillOutput, error) {
	p, err := caller(ctx)
	if err == nil {
		err = ownRegistry(p, "StopReplicationBackfill", in.RegistryId)
	}
	if err != nil {
		return nil, err
	}
	var row model.Backfill
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		have, err := findBackfill(tx.Tables, p.Scope(), in.ReplicationBackfillId)
		if err != nil {
			return err
		}
		row = *have
		switch row.Status {
		case preparing:
			row.Status, row.EndedAt = stopped, a.Now().UnixMilli()
		case inProgress, stopping:
			row.Status = stopping
		default:
			return model.Errorf("ReplicationBackfillInvalidStatusException", "The requested operation can't be performed on the replication backfill because its status is %s.", row.Status)
		}
		tx.Backfills.Put(&row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.wake()
	s := showBackfill(&row, nil)
	return &ecr.StopReplicationBackfillOutput{
		Destination: s.Destination, RegistryId: aws.String(row.Account), ReplicationBackfillId: s.ReplicationBackfillId, StartedAt: s.StartedAt, Status: s.Status,
	}, nil
}

func findBackfill(t *state.Tables, s model.Scope, id *string) (*model.Backfill, error) {
	row, ok := t.Backfills.Get(s.Key(value(id)))
	if !ok || strings.Contains(value(id), "/") {
		return nil, model.Errorf("ReplicationBackfillNotFoundException", "The specified replication backfill could not be found.")
	}
	return row, nil
}

// showBackfill is a row in ECR's shape, with its progress from the rows of its images.
func showBackfill(b *model.Backfill, parts []*model.Replication) types.ReplicationBackfillSummary {
	out := types.ReplicationBackfillSummary{
		Destination:           &types.ReplicationDestination{RegistryId: aws.String(b.To.RegistryID), Region: aws.String(b.To.Region)},
		ReplicationBackfillId: aws.String(b.ID), StartedAt: aws.Time(time.UnixMilli(b.StartedAt).UTC()), Status: types.ReplicationBackfillStatus(b.Status),
	}
	if b.EndedAt != 0 {
		out.EndedAt = aws.Time(time.UnixMilli(b.EndedAt).UTC())
	}
	if b.Status == preparing || b.Status == stopped && b.Total == 0 {
		return out
	}
	done := *b
	if b.EndedAt == 0 {
		tally(&done, parts)
	}
	out.Progress = &types.ReplicationBackfillProgress{
		TotalReplicationCount: aws.Int32(done.Total), CompletedReplicationCount: aws.Int32(done.Completed), FailedReplicationCount: aws.Int32(done.Failed),
		FailureCodes: append([]string{}, done.Codes...),
	}
	return out
}

// tally counts what has become of a backfill's images.
func tally(b *model.Backfill, parts []*model.Replication) {
	b.Completed, b.Failed, b.Codes = 0, 0, nil
	for _, r := range parts {
		n := countOf(r.Tags)
		switch r.Status {
		case string(types.ReplicationStatusComplete):
			b.Completed += n
		case string(types.ReplicationStatusFailed):
			if b.Failed += n; !slices.Contains(b.Codes, r.Failure) {
				b.Codes = append(b.Codes, r.Failure)
			}
		}
	}
}

// countOf is how many replications an image with these tags is [D].
func countOf(tags []string) int32 { return int32(max(1, len(tags))) }

// partsOf are the rows of a backfill's images, by repository and digest.
func partsOf(t *state.Tables, b *model.Backfill) (parts []*model.Replication) {
	for r := range t.Replications.Prefix(b.Scope.Key("")) {
		if r.Backfill == b.ID {
			parts = append(parts, r)
		}
	}
	slices.SortFunc(parts, func(x, y *model.Replication) int {
		return cmp.Or(strings.Compare(x.Repository, y.Repository), strings.Compare(x.Digest, y.Digest))
	})
	return parts
}

func (a *API) listReplicationBackfills(ctx context.Context, in *ecr.ListReplicationBackfillsInput) (*ecr.ListReplicationBackfillsOutput, error) {
	p, err := caller(ctx)
	if err == nil {
		err = ownRegistry(p, "ListReplicationBackfills", in.RegistryId)
	}
	if err != nil {
		return nil, err
	}
	size := aws.Int32(defaultBackfills)
	if in.MaxResults != nil {
		if size = in.MaxResults; *size < 1 || *size > maxBackfillsPage {
			return nil, invalid("maxResults", "Member must have value between 1 and 50")
		}
	}
	t := a.DB.Snapshot().Tables
	rows, next, err := pageOf("ListReplicationBackfills", []string{p.Account, p.Region}, slices.Collect(t.Backfills.Prefix(p.Scope().Key(""))),
		func(b *model.Backfill) string { return b.ID }, size, in.NextToken)
	out := &ecr.ListReplicationBackfillsOutput{RegistryId: aws.String(p.Account), NextToken: next, Backfills: []types.ReplicationBackfillSummary{}}
	for _, b := range rows {
		out.Backfills = append(out.Backfills, showBackfill(b, partsOf(t, b)))
	}
	return out, err
}

// describeReplicationBackfillResults answers how a backfill went. Of single images it says so at the end only [D].
func (a *API) describeReplicationBackfillResults(ctx context.Context, in *ecr.DescribeReplicationBackfillResultsInput) (
	*ecr.DescribeReplicationBackfillResultsOutput, error,
) {
	p, err := caller(ctx)
	if err == nil {
		err = ownRegistry(p, "DescribeReplicationBackfillResults", in.RegistryId)
	}
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	row, err := findBackfill(t, p.Scope(), in.ReplicationBackfillId)
	if err != nil {
		return nil, err
	}
	parts := partsOf(t, row)
	s := showBackfill(row, parts)
	results := []types.ReplicationBackfillResult{}
	for _, r := range parts {
		if row.EndedAt == 0 || in.ResultStatusFilter != "" && r.Status != string(in.ResultStatusFilter) || r.FinishedAt == 0 && r.Failure == "" {
			continue
		}
		for _, tag := range namesOf(r.Tags) {
			results = append(results, types.ReplicationBackfillResult{
				ImageId: &types.ImageIdentifier{ImageDigest: aws.String(r.Digest), ImageTag: given(tag)}, RepositoryName: aws.String(r.Repository),
				Status: types.ReplicationBackfillResultStatus(r.Status), FailureCode: given(r.Failure),
			})
		}
	}
	page, next, err := pageOf("DescribeReplicationBackfillResults", []string{p.Account, p.Region, row.ID, string(in.ResultStatusFilter)}, results,
		func(r types.ReplicationBackfillResult) string {
			return *r.RepositoryName + " " + *r.ImageId.ImageDigest + " " + value(r.ImageId.ImageTag)
		}, in.MaxResults, in.NextToken)
	return &ecr.DescribeReplicationBackfillResultsOutput{
		Destination: s.Destination, EndedAt: s.EndedAt, NextToken: next, Progress: s.Progress, RegistryId: aws.String(p.Account),
		ReplicationBackfillId: s.ReplicationBackfillId, Results: page, StartedAt: s.StartedAt, Status: s.Status,
	}, err
}

// namesOf are an image's tags, or one that is none.
func namesOf(tags []string) []string {
	if len(tags) == 0 {
		return []string{""}
	}
	return tags
}
