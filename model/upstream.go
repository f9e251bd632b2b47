package model

// PullThroughRule says where images of repositories come from whose names begin with Prefix: they are fetched when they are pulled.
// Writer: api/ecr.
type PullThroughRule struct {
	Scope
	Prefix         string `json:"prefix"`                   // "ROOT" for any name
	Upstream       string `json:"upstream"`                 // host: "quay.io"
	Kind           string `json:"kind,omitempty"`           // upstreamRegistry, as ECR calls it: "quay"
	UpstreamPrefix string `json:"upstreamPrefix,omitempty"` // that stands there for Prefix; "ROOT" for none
	Credential     string `json:"credential,omitempty"`     // ARN of a secret
	Role           string `json:"role,omitempty"`           // ARN; kept, and used by nobody
	CreatedAt      Millis `json:"createdAt"`
	UpdatedAt      Millis `json:"updatedAt"`
}

// Key is the rule's row key.
func (r *PullThroughRule) Key() string { return r.Scope.Key(r.Prefix) }

// UpstreamLook is when a tag of a cached repository was last looked up where it comes from. Writer: api/ecr.
type UpstreamLook struct {
	Scope
	Repository string `json:"repository"`
	Tag        string `json:"tag"`
	At         Millis `json:"at"`
}

// Key is the look's row key. No name has a "#".
func (l *UpstreamLook) Key() string { return UpstreamLookKey(l.Scope, l.Repository, l.Tag) }

// UpstreamLookKey is the row key of a tag's last look.
func UpstreamLookKey(s Scope, repository, tag string) string { return s.Key(repository) + "#" + tag }
