package model

// ImageScan is the last scan of an image for vulnerabilities. Writer: api/ecr.
type ImageScan struct {
	Scope
	Repository  string        `json:"repository"`
	Digest      string        `json:"digest"`
	Status      string        `json:"status"` // IN_PROGRESS, COMPLETE, FAILED
	Description string        `json:"description,omitempty"`
	StartedAt   Millis        `json:"startedAt"`
	CompletedAt Millis        `json:"completedAt,omitempty"`
	SourceAt    Millis        `json:"sourceAt,omitempty"` // how new the scanner's knowledge was
	Findings    []ScanFinding `json:"findings,omitempty"` // the worst first
}

// ScanFinding is one thing that a scanner has found.
type ScanFinding struct {
	Name        string `json:"name"`
	Severity    string `json:"severity"` // CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL, UNDEFINED
	Description string `json:"description,omitempty"`
	URI         string `json:"uri,omitempty"`
	Attributes  []Tag  `json:"attributes,omitempty"`
}

// Key is the scan's row key.
func (s *ImageScan) Key() string { return ImageScanKey(s.Scope, s.Repository, s.Digest) }

// ImageScanKey is the row key of an image's scan.
func ImageScanKey(s Scope, repository, digest string) string { return s.Key(repository, digest) }
