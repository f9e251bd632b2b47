package model

import (
	"path"
	"slices"
	"strings"
)

// Repository is an ECR repository; its images live in the registry's blob store. Writers: api/ecr, and registry of Images.
type Repository struct {
	Scope
	Name      string `json:"name"` // may hold "/"
	CreatedAt Millis `json:"createdAt"`
	Immutable bool   `json:"immutable,omitempty"` // imageTagMutability IMMUTABLE, or IMMUTABLE_WITH_EXCLUSION
	// Excluded are patterns, with stars, of the tags with which it is the other way round: ..._WITH_EXCLUSION.
	Excluded   []string  `json:"excluded,omitempty"`
	ScanOnPush bool      `json:"scanOnPush,omitempty"`
	Encryption string    `json:"encryption,omitempty"` // AES256 or KMS
	KMSKey     string    `json:"kmsKey,omitempty"`
	Tags       []Tag     `json:"tags,omitempty"`
	Lifecycle  Lifecycle `json:"lifecycle,omitzero"`
	Policy     string    `json:"policy,omitempty"` // who else may what with it; "" for none
	// Images is the digest of the list of its images, which members of the control plane get from each other; "" where
	// there is one member, or nothing was pushed.
	Images string `json:"images,omitempty"`
}

// Registry is what an account has set for its ECR registry. Writer: api/ecr.
type Registry struct {
	Scope
	Policy   string            `json:"policy,omitempty"`   // about all of its repositories; "" for none
	Settings map[string]string `json:"settings,omitempty"` // of PutAccountSetting; what is not here has its default
	Scanning []ScanRule        `json:"scanning,omitempty"`
	// Replication says where images go that are pushed from ReplicatedFrom on.
	Replication    []ReplicationRule `json:"replication,omitempty"`
	ReplicatedFrom Millis            `json:"replicatedFrom,omitempty"`
	// NoPullTime are the ARNs of users and roles whose pulls are not written down.
	NoPullTime []string `json:"noPullTime,omitempty"`
}

// ReplicationRule says to which registries images of some repositories are copied when they are pushed.
type ReplicationRule struct {
	To       []Destination `json:"to"`
	Prefixes []string      `json:"prefixes,omitempty"` // of names of repositories; none means all
}

// Destination is a registry to which images are copied.
type Destination struct {
	RegistryID string `json:"registryId"` // account
	Region     string `json:"region"`
}

// Scope is where the registry's repositories are.
func (d Destination) Scope() Scope { return Scope{Account: d.RegistryID, Region: d.Region} }

// Destinations are the registries to which images of a repository go, each once.
func (r *Registry) Destinations(repository string) (to []Destination) {
	for _, rule := range r.Replication {
		if len(rule.Prefixes) > 0 && !slices.ContainsFunc(rule.Prefixes, func(p string) bool { return strings.HasPrefix(repository, p) }) {
			continue
		}
		for _, s := range rule.To {
			if !slices.Contains(to, s) {
				to = append(to, s)
			}
		}
	}
	return to
}

// ImagePull is when an image was last pulled, within an hour. Writer: api/ecr.
type ImagePull struct {
	Scope
	Repository string `json:"repository"`
	Digest     string `json:"digest"`
	At         Millis `json:"at"`
}

// Key is the pull's row key.
func (p *ImagePull) Key() string { return ImagePullKey(p.Scope, p.Repository, p.Digest) }

// ImagePullKey is the row key of an image's last pull.
func ImagePullKey(s Scope, repository, digest string) string { return s.Key(repository, digest) }

// ImageArchive is when an image came into the archive, and out of it. Writer: api/ecr.
type ImageArchive struct {
	Scope
	Repository string `json:"repository"`
	Digest     string `json:"digest"`
	ArchivedAt Millis `json:"archivedAt"`
	RestoredAt Millis `json:"restoredAt,omitempty"`
}

// Key is the archive's row key.
func (a *ImageArchive) Key() string { return ImagePullKey(a.Scope, a.Repository, a.Digest) }

// Has says whether an image that was pushed at a time is in the archive: to push it again takes it out.
func (a *ImageArchive) Has(pushedAt Millis) bool {
	return a.ArchivedAt > a.RestoredAt && pushedAt <= a.ArchivedAt
}

// Replication is how far the copy of an image to another registry is. Writer: api/ecr.
type Replication struct {
	Scope
	Repository string      `json:"repository"`
	Digest     string      `json:"digest"`
	To         Destination `json:"to"`
	Status     string      `json:"status"`               // IN_PROGRESS, COMPLETE, FAILED
	Failure    string      `json:"failure,omitempty"`    // code
	PushedAt   Millis      `json:"pushedAt"`             // of the push that it is about: a second one is copied again
	FinishedAt Millis      `json:"finishedAt,omitempty"` // when the image was there
	// Backfill is the id of the backfill that it is part of, "" if it follows a push; Tags are the image's then.
	Backfill string   `json:"backfill,omitempty"`
	Tags     []string `json:"tags,omitempty"`
}

// Key is the replication's row key.
func (r *Replication) Key() string {
	return ReplicationPrefix(r.Scope, r.Repository, r.Digest) + r.To.RegistryID + "#" + r.To.Region
}

// ReplicationPrefix is what the keys of all replications of an image begin with. No name has a "#".
func ReplicationPrefix(s Scope, repository, digest string) string {
	return s.Key(digest, repository) + "#"
}

// PolicyScope is the setting that says what a registry's policy is about: V2, every action on repositories; V1, only those that other
// accounts' copies need.
const PolicyScope = "REGISTRY_POLICY_SCOPE"

// ScanRule says of which repositories images are scanned, and when.
type ScanRule struct {
	Frequency string   `json:"frequency"` // SCAN_ON_PUSH or MANUAL
	Filters   []string `json:"filters"`   // names with stars, or parts of names
}

// RepositoryTemplate says how repositories are made that nobody made: those whose names begin with Prefix, "ROOT" for any. Writer: api/ecr.
type RepositoryTemplate struct {
	Scope
	Prefix      string   `json:"prefix"`
	Description string   `json:"description,omitempty"`
	AppliedFor  []string `json:"appliedFor"` // CREATE_ON_PUSH, PULL_THROUGH_CACHE, REPLICATION
	Immutable   bool     `json:"immutable,omitempty"`
	Excluded    []string `json:"excluded,omitempty"`
	Encryption  string   `json:"encryption,omitempty"`
	KMSKey      string   `json:"kmsKey,omitempty"`
	Lifecycle   string   `json:"lifecycle,omitempty"` // policy
	Policy      string   `json:"policy,omitempty"`    // of the repository
	Role        string   `json:"role,omitempty"`      // ARN; kept, and used by nobody
	Tags        []Tag    `json:"tags,omitempty"`
	CreatedAt   Millis   `json:"createdAt"`
	UpdatedAt   Millis   `json:"updatedAt"`
}

// Key is the template's row key.
func (t *RepositoryTemplate) Key() string { return t.Scope.Key(t.Prefix) }

// RootPrefix is the prefix that every name has.
const RootPrefix = "ROOT"

// Covers says whether the template, or rule, with the prefix is about a repository's name, and how closely: the longest prefix counts.
func Covers(prefix, name string) (length int, ok bool) {
	if prefix == RootPrefix {
		return 0, true
	}
	return len(prefix), strings.HasPrefix(name, strings.TrimSuffix(prefix, "/")+"/")
}

// Key is the registry's row key.
func (r *Registry) Key() string { return r.Scope.Key() }

// Lifecycle says which images of a repository go by themselves.
type Lifecycle struct {
	Policy string `json:"policy,omitempty"` // in its normal form; "" for none
	LastAt Millis `json:"lastAt,omitempty"` // when images were last judged by it; 0 for not yet
	// Preview is a policy of which somebody wants to know what it would do, as of PreviewAt; "" for none.
	Preview   string `json:"preview,omitempty"`
	PreviewAt Millis `json:"previewAt,omitempty"`
}

// Key is the repository's row key.
func (r *Repository) Key() string { return r.Scope.Key(r.Name) }

// ARN is the repository's Amazon resource name.
func (r *Repository) ARN() string { return r.Scope.ARN("ecr", "repository/"+r.Name) }

// Final says whether a tag, once given, stays with its image.
func (r *Repository) Final(tag string) bool {
	for _, pattern := range r.Excluded {
		if MatchTag(pattern, tag) {
			return !r.Immutable
		}
	}
	return r.Immutable
}

// MatchTag says whether an image's tag is of a pattern: letters, digits, "-", "_", ".", and stars for any characters.
func MatchTag(pattern, tag string) bool {
	ok, err := path.Match(pattern, tag)
	return ok && err == nil
}
