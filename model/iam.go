package model

import (
	"encoding/json"
	"strings"
)

// IAM's rows belong to an account and to no Region. Names are unique whatever their case [D], so keys have them in lower case;
// paths are no part of them. Documents are kept byte for byte as the user wrote them.

// IAMKey is the row key of an IAM entity of the account by its name.
func IAMKey(account, name string) string { return account + "/" + strings.ToLower(name) }

// IAMARN is the ARN of an IAM entity: kind is "user", "group", "role", "policy" or "instance-profile", path begins and ends
// with "/".
func IAMARN(account, kind, path, name string) string {
	return "arn:aws:iam::" + account + ":" + kind + path + name
}

// Identity is what users, groups and roles have in common.
type Identity struct {
	Account   string         `json:"account"`
	Name      string         `json:"name"`
	Path      string         `json:"path"` // "/ops/"
	ID        string         `json:"id"`   // "AIDA...", "AGPA...", "AROA..."
	CreatedAt Millis         `json:"createdAt"`
	Inline    []InlinePolicy `json:"inline,omitempty"`   // by name
	Attached  []string       `json:"attached,omitempty"` // ARNs of managed policies, in the order of attaching
	Boundary  string         `json:"boundary,omitempty"` // ARN of the managed policy that is the permissions boundary
	Tags      []Tag          `json:"tags,omitempty"`
}

// InlinePolicy is a policy that lives and dies with its identity.
type InlinePolicy struct {
	Name     string `json:"name"`
	Document string `json:"document"`
}

// Key is the identity's row key.
func (i *Identity) Key() string { return IAMKey(i.Account, i.Name) }

// User is an IAM user. Writer: api/iam.
type User struct {
	Identity
	Groups []string `json:"groups,omitempty"` // keys of its groups
}

// ARN is the user's Amazon resource name.
func (u *User) ARN() string { return IAMARN(u.Account, "user", u.Path, u.Name) }

// Group is an IAM group; who is in it stands in the users' rows. Writer: api/iam.
type Group struct{ Identity }

// ARN is the group's Amazon resource name.
func (g *Group) ARN() string { return IAMARN(g.Account, "group", g.Path, g.Name) }

// Role is an IAM role. Writer: api/iam.
type Role struct {
	Identity
	Trust       string `json:"trust"` // AssumeRolePolicyDocument
	Description string `json:"description,omitempty"`
	MaxSession  int32  `json:"maxSession"` // seconds, 3600 to 43200
}

// ARN is the role's Amazon resource name.
func (r *Role) ARN() string { return IAMARN(r.Account, "role", r.Path, r.Name) }

// ManagedPolicy is a customer managed policy; those of AWS are no rows (policy.AWSManaged). Writer: api/iam.
type ManagedPolicy struct {
	Account     string          `json:"account"`
	Name        string          `json:"name"`
	Path        string          `json:"path"`
	ID          string          `json:"id"` // "ANPA..."
	Description string          `json:"description,omitempty"`
	CreatedAt   Millis          `json:"createdAt"`
	UpdatedAt   Millis          `json:"updatedAt"`
	Default     int             `json:"default"`  // number of the version that counts
	Last        int             `json:"last"`     // number of the newest version there ever was
	Versions    []PolicyVersion `json:"versions"` // the oldest first
	Tags        []Tag           `json:"tags,omitempty"`
}

// PolicyVersion is one version of a managed policy: "v3" is number 3.
type PolicyVersion struct {
	Number    int    `json:"number"`
	Document  string `json:"document"`
	CreatedAt Millis `json:"createdAt"`
}

// Key is the policy's row key.
func (p *ManagedPolicy) Key() string { return IAMKey(p.Account, p.Name) }

// ARN is the policy's Amazon resource name.
func (p *ManagedPolicy) ARN() string { return IAMARN(p.Account, "policy", p.Path, p.Name) }

// Version returns the version with the number, nil if there is none.
func (p *ManagedPolicy) Version(number int) *PolicyVersion {
	for i := range p.Versions {
		if p.Versions[i].Number == number {
			return &p.Versions[i]
		}
	}
	return nil
}

// Document is that of the default version.
func (p *ManagedPolicy) Document() string { return p.Version(p.Default).Document }

// InstanceProfile hands a role to machines. Writer: api/iam.
type InstanceProfile struct {
	Account   string `json:"account"`
	Name      string `json:"name"`
	Path      string `json:"path"`
	ID        string `json:"id"` // "AIPA..."
	CreatedAt Millis `json:"createdAt"`
	Role      string `json:"role,omitempty"` // key of its role, "" for none
	Tags      []Tag  `json:"tags,omitempty"`
}

// Key is the profile's row key.
func (p *InstanceProfile) Key() string { return IAMKey(p.Account, p.Name) }

// ARN is the profile's Amazon resource name.
func (p *InstanceProfile) ARN() string { return IAMARN(p.Account, "instance-profile", p.Path, p.Name) }

// TokenIssuer makes tokens that say who an account's users and roles are, for those who are not of this deployment. Writers: api/iam,
// and api/sts of keys that are due.
type TokenIssuer struct {
	Account   string      `json:"account"`
	ID        string      `json:"id"`  // a uuid, the end of its URL
	URL       string      `json:"url"` // as tokens say it, whoever leads
	Enabled   bool        `json:"enabled"`
	CreatedAt Millis      `json:"createdAt"`
	Keys      []IssuerKey `json:"keys"` // several of an algorithm take turns (oidc.Signing)
}

// IssuerKey is a key of a TokenIssuer.
type IssuerKey struct {
	ID        string          `json:"id"`
	Algorithm string          `json:"algorithm"` // RS256 or ES384
	Public    json.RawMessage `json:"public"`    // as a JSON web key
	Sealed    []byte          `json:"sealed"`    // the secret part
	CreatedAt Millis          `json:"createdAt"`
}

// Key is the issuer's row key: an account has one.
func (i *TokenIssuer) Key() string { return i.Account }

// KeyName is what the secret part of one of its keys is sealed for.
func (i *TokenIssuer) KeyName(k *IssuerKey) string { return "token issuer " + i.ID + " " + k.ID }

// OIDCProvider is an identity provider whose tokens roles may trust. Writer: api/iam.
type OIDCProvider struct {
	Account     string   `json:"account"`
	Host        string   `json:"host"` // of its URL, with the path: "token.actions.githubusercontent.com"
	CreatedAt   Millis   `json:"createdAt"`
	ClientIDs   []string `json:"clientIds,omitempty"` // audiences
	Thumbprints []string `json:"thumbprints,omitempty"`
	Tags        []Tag    `json:"tags,omitempty"`
}

// Key is the provider's row key.
func (p *OIDCProvider) Key() string { return p.Account + "/" + p.Host }

// ARN is the provider's Amazon resource name.
func (p *OIDCProvider) ARN() string { return "arn:aws:iam::" + p.Account + ":oidc-provider/" + p.Host }
