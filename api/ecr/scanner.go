package ecr

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/state"
)

// What a scanner is held to.
const (
	scanPatience = 10 * time.Minute
	maxScanBytes = 1 << 20 // of an answer: the findings are one row
	scanLook     = time.Minute
	scansAtOnce  = 4
	scanFresh    = 24 * time.Hour // what was pushed before is not scanned for having been pushed
)

// scanRequest is what the scanner is sent, by POST.
type scanRequest struct {
	Account    string `json:"account"`
	Region     string `json:"region"`
	Repository string `json:"repository"`
	Digest     string `json:"digest"`
	Image      string `json:"image"` // as docker pulls it
	MediaType  string `json:"mediaType"`
	Manifest   string `json:"manifest"`
}

// scanAnswer is what it answers, with status 200.
type scanAnswer struct {
	UpdatedAt time.Time `json:"vulnerabilitySourceUpdatedAt"`
	Findings  []struct {
		Name        string            `json:"name"`
		Severity    string            `json:"severity"`
		Description string            `json:"description"`
		URI         string            `json:"uri"`
		Attributes  map[string]string `json:"attributes"`
	} `json:"findings"`
}

// scans has, on the leader, the images scanned that are to be: a few at once, so that one that takes long holds up nobody but itself.
func (a *API) scans(ctx context.Context) error {
	t := time.NewTicker(scanLook)
	defer t.Stop()
	under := newScans(a)
	defer under.await()
	for {
		select {
		case end := <-under.ended:
			under.end(end)
		case <-t.C:
			under.failed = map[string]bool{}
			a.noticePushed(ctx)
		case <-a.asked:
			a.noticePushed(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
		under.begin(ctx)
	}
}

// Scan has images scanned that somebody wants to have scanned, or that were pushed where that is a reason; and forgets the scans of
// images that are gone. What fails is tried again the next time, or says so in its row.
func (a *API) Scan(ctx context.Context) {
	a.noticePushed(ctx)
	under := newScans(a)
	for under.begin(ctx); len(under.way) > 0; under.begin(ctx) {
		under.end(<-under.ended)
	}
}

// scansUnderWay are the scans that are being performed: one of an image at a time.
type scansUnderWay struct {
	api    *API
	way    map[string]bool // keys of their rows
	failed map[string]bool // keys of those whose rows could not be written: their turn comes later
	ended  chan scanEnd
}

type scanEnd struct {
	key string
	err error
}

func newScans(a *API) *scansUnderWay {
	return &scansUnderWay{a, map[string]bool{}, map[string]bool{}, make(chan scanEnd)}
}

// begin begins what is due, the oldest first, while fewer than scansAtOnce are under way and this member leads.
func (u *scansUnderWay) begin(ctx context.Context) {
	due := slices.SortedStableFunc(u.api.DB.Snapshot().ImageScans.All(), func(x, y *model.ImageScan) int { return cmp.Compare(x.StartedAt, y.StartedAt) })
	for _, scan := range due {
		key := scan.Key()
		if u.way[key] || u.failed[key] {
			continue
		}
		if len(u.way) == scansAtOnce || ctx.Err() != nil || !u.api.DB.Leading() {
			return
		}
		perform, err := u.api.prepare(ctx, scan)
		if err != nil {
			u.note(scanEnd{key, err})
		}
		if perform != nil {
			u.way[key] = true
			go func() { u.ended <- scanEnd{key, perform()} }() // await takes what nobody else does
		}
	}
}

func (u *scansUnderWay) end(e scanEnd) {
	delete(u.way, e.key)
	u.note(e)
}

func (u *scansUnderWay) note(e scanEnd) {
	if e.err == nil {
		return
	}
	u.failed[e.key] = true
	if !errors.Is(e.err, context.Canceled) {
		u.api.Log.Warn("scan an image", "scan", e.key, "err", e.err)
	}
}

// await waits for those that are under way.
func (u *scansUnderWay) await() {
	for len(u.way) > 0 {
		u.end(<-u.ended)
	}
}

// noticePushed makes the rows of scans of images that were pushed where that is a reason.
func (a *API) noticePushed(ctx context.Context) {
	t := a.DB.Snapshot().Tables
	for row := range t.Repositories.All() {
		if !a.DB.Leading() {
			return
		}
		if onPush, _ := scanning(registryOf(t, row.Scope), row); !onPush || a.Scanner == "" {
			continue
		}
		if err := a.scanPushed(ctx, row); err != nil && ctx.Err() == nil {
			a.Log.Warn("look for images to scan", "repository", row.ARN(), "err", err)
		}
	}
}

func (a *API) scanPushed(ctx context.Context, row *model.Repository) error {
	images, err := a.Images.Repository(ctx, row.Scope, row.Name)
	if err != nil {
		return err
	}
	stored, err := images.Images(ctx)
	if err != nil {
		return err
	}
	for _, i := range stored {
		_, known := a.DB.Snapshot().ImageScans.Get(model.ImageScanKey(row.Scope, row.Name, i.Digest))
		if known || i.Children != nil || a.Now().Sub(i.PushedAt) > scanFresh {
			continue
		}
		if err := a.beginScan(ctx, row, i.Digest, false); err != nil {
			return err
		}
	}
	return nil
}

// prepare returns what performs a scan that waits, nil if it does not; it deletes one of an image that is gone.
func (a *API) prepare(ctx context.Context, scan *model.ImageScan) (perform func() error, err error) {
	row, exists := a.DB.Snapshot().Repositories.Get(scan.Scope.Key(scan.Repository))
	var m registry.Manifest
	if exists {
		images, err := a.Images.Repository(ctx, scan.Scope, scan.Repository)
		if err != nil {
			return nil, err
		}
		m, err = images.Manifest(ctx, registry.Reference{Digest: scan.Digest})
		if exists = model.ErrorCode(err) != "ImageNotFoundException"; exists && err != nil {
			return nil, err
		}
	}
	switch {
	case !exists:
		return nil, a.replaceScan(ctx, scan, nil)
	case scan.Status != string(types.ScanStatusInProgress) || a.Scanner == "":
		return nil, nil
	}
	return func() error {
		answer, err := a.ask(ctx, row, m)
		if ctx.Err() != nil {
			return err
		}
		done := *scan
		finish(&done, answer, err, a.Now())
		return a.replaceScan(ctx, scan, &done)
	}, nil
}

// replaceScan writes a scan's row anew, or deletes it, if it is still what it was.
func (a *API) replaceScan(ctx context.Context, scan, with *model.ImageScan) error {
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		switch have, ok := tx.ImageScans.Get(scan.Key()); {
		case !ok || have.StartedAt != scan.StartedAt:
		case with == nil:
			tx.ImageScans.Delete(scan.Key())
		default:
			tx.ImageScans.Put(with)
		}
		return nil
	})
}

// finish writes down how a scan ended.
func finish(s *model.ImageScan, answer *scanAnswer, err error, now time.Time) {
	s.CompletedAt = now.UnixMilli()
	if err != nil {
		s.Status, s.Description = string(types.ScanStatusFailed), err.Error()
		return
	}
	s.Status = string(types.ScanStatusComplete)
	if !answer.UpdatedAt.IsZero() {
		s.SourceAt = answer.UpdatedAt.UnixMilli()
	}
	order := []string{"CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED"}
	for _, f := range answer.Findings {
		finding := model.ScanFinding{Name: f.Name, Severity: strings.ToUpper(f.Severity), Description: f.Description, URI: f.URI}
		if !slices.Contains(order, finding.Severity) {
			finding.Severity = "UNDEFINED"
		}
		for k, v := range f.Attributes {
			finding.Attributes = append(finding.Attributes, model.Tag{Key: k, Value: v})
		}
		slices.SortFunc(finding.Attributes, func(x, y model.Tag) int { return strings.Compare(x.Key, y.Key) })
		s.Findings = append(s.Findings, finding)
	}
	slices.SortStableFunc(s.Findings, func(x, y model.ScanFinding) int {
		return cmp.Or(slices.Index(order, x.Severity)-slices.Index(order, y.Severity), strings.Compare(x.Name, y.Name))
	})
}

// ask has the scanner scan an image.
func (a *API) ask(ctx context.Context, r *model.Repository, m registry.Manifest) (*scanAnswer, error) {
	body, err := json.Marshal(scanRequest{
		Account: r.Account, Region: r.Region, Repository: r.Name, Digest: m.Digest, Image: a.uri(r) + "@" + m.Digest,
		MediaType: m.MediaType, Manifest: string(m.Payload),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, scanPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Scanner, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the scanner: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the scanner answers %s", resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxScanBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the scanner's answer: %w", err)
	case len(text) > maxScanBytes:
		return nil, fmt.Errorf("the scanner's answer is longer than %d bytes", maxScanBytes)
	}
	answer := &scanAnswer{}
	if err := json.Unmarshal(text, answer); err != nil {
		return nil, fmt.Errorf("read the scanner's answer: %w", err)
	}
	return answer, nil
}
