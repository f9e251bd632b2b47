package model

import "path"

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
	Policy string `json:"policy,omitempty"` // about all of its repositories; "" for none
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
