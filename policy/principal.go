package policy

import (
	"strings"

	"github.com/roadstead/roadstead/model"
)

// PrincipalKind says what sort of caller it is.
type PrincipalKind int

const (
	Anonymous     PrincipalKind = iota // nobody: a request without a signature
	Root                               // an account's root user
	User                               // an IAM user
	Session                            // of a role
	FederatedUser                      // a session of GetFederationToken
	Service                            // an AWS service, acting by itself
	WebIdentity                        // whoever an identity provider vouches for, while it asks for a role
)

// Principal is who asks.
type Principal struct {
	Kind    PrincipalKind
	Account string // 12 digits; "" for Anonymous, Service and WebIdentity
	// ARN as GetCallerIdentity shows it: "arn:aws:iam::111122223333:user/ops/ann",
	// "arn:aws:sts::111122223333:assumed-role/web/0123abcd". A service's name ("ecs-tasks.amazonaws.com"), the ARN or host of an
	// identity provider.
	ARN string
	// Of is the ARN of the role that a Session is of, with its path, or of the user who made a FederatedUser.
	Of   string
	ID   string      // as aws:userid: "AIDA...", "AROA...:session", the account of a Root
	Tags []model.Tag // of the user or role, and of the session in their place
}

// PrincipalOf is who has the ARN, as GetCallerIdentity shows it, and the id, without his tags. Of is the role that a session is of, or
// the user who made a federated one, "" for others.
func PrincipalOf(arn, id, of string) *Principal {
	p := &Principal{Kind: User, ARN: arn, ID: id}
	a, _ := model.ParseARN(arn)
	p.Account = a.Account
	switch {
	case a.Service == "sts" && strings.HasPrefix(a.Tail, "assumed-role/"):
		p.Kind, p.Of = Session, of
	case a.Service == "sts" && strings.HasPrefix(a.Tail, "federated-user/"):
		p.Kind, p.Of = FederatedUser, of
	case a.Tail == "root":
		p.Kind = Root
	}
	return p
}

// Describe sets the keys that say who asks: aws:PrincipalArn, aws:PrincipalAccount, aws:PrincipalType, aws:userid,
// aws:username, aws:PrincipalTag/*. A user has a username, others have none [D].
func (p *Principal) Describe(c *Context) {
	if c.values == nil {
		c.values = make(map[string][]string, 8+len(p.Tags))
	}
	all := make([]string, 0, 6) // one room for all values
	set := func(lower, value string) {
		all = append(all, value)
		c.values[lower] = all[len(all)-1 : len(all) : len(all)]
	}
	set("aws:principaltype", [...]string{"Anonymous", "Account", "User", "AssumedRole", "FederatedUser", "Service", "FederatedUser"}[p.Kind])
	switch p.Kind {
	case Anonymous, WebIdentity:
		return
	case Service:
		set("aws:principalservicename", p.ARN)
		set("aws:principalisawsservice", "true")
		return
	}
	set("aws:principalisawsservice", "false")
	set("aws:principalaccount", p.Account)
	set("aws:principalarn", p.arn())
	set("aws:userid", p.ID)
	if p.Kind == User {
		set("aws:username", p.ARN[strings.LastIndexByte(p.ARN, '/')+1:])
	}
	c.SetTags("aws:PrincipalTag", p.Tags)
}

// arn is what aws:PrincipalArn says: of a session that of its role [D].
func (p *Principal) arn() string {
	if p.Kind == Session {
		return p.Of
	}
	return p.ARN
}

// name is what messages call the principal.
func (p *Principal) name() string {
	if p.Kind == Anonymous {
		return "anonymous"
	}
	return p.ARN
}

// identities says whether the principal has policies of its own, which its account gave it.
func (p *Principal) identities() bool {
	return p.Kind == User || p.Kind == Session || p.Kind == FederatedUser
}

// reach says how closely a resource's policy names a principal. It matters within an account: who is meant by name needs
// nothing else, who is meant as one of an account needs the account's leave besides [D].
type reach int

const (
	nobody  reach = iota
	account       // by its account
	role          // by the role of its session, or the user of its federation
	direct        // by itself, or as anybody
)

type entryKind int

const (
	anybody entryKind = iota
	ofAccount
	byARN
	byID // AIDA..., AROA...: what AWS shows of a principal that is gone
	byService
	byProvider
	byCanonicalUser // of S3, which nobody here is
)

// entry is one principal that a statement names.
type entry struct {
	kind  entryKind
	value string
}

func (e *entry) reaches(p *Principal) reach {
	switch e.kind {
	case anybody:
		return direct
	case ofAccount:
		switch {
		case p.Account != e.value:
			return nobody
		case p.Kind == Root:
			return direct
		}
		return account
	case byARN:
		switch {
		case p.Account == "":
			return nobody
		case e.value == p.ARN:
			return direct
		case e.value == p.Of:
			return role
		}
	case byID:
		id, _, session := strings.Cut(p.ID, ":")
		switch {
		case p.ID == "" || id != e.value:
			return nobody
		case session:
			return role
		}
		return direct
	case byService, byProvider:
		if (e.kind == byService) == (p.Kind == Service) && (e.kind == byProvider) == (p.Kind == WebIdentity) && e.value == p.ARN {
			return direct
		}
	}
	return nobody
}

// principals are those of a statement of a resource's policy.
type principals struct {
	not     bool
	entries []entry
}

// reaches says how closely a statement means the principal. NotPrincipal stands in Deny statements only.
func (ps *principals) reaches(p *Principal, bounded bool) reach {
	if ps.not {
		if ps.spares(p, bounded) {
			return nobody
		}
		return direct
	}
	best := nobody
	for i := range ps.entries {
		best = max(best, ps.entries[i].reaches(p))
	}
	return best
}

// spares says whether a NotPrincipal leaves the principal out. It has to name all that he is: a user and his account, the role
// of a session and its account, and the session if it names sessions of that role [D]. A principal with a permissions boundary
// is never left out, whatever it names [D].
func (ps *principals) spares(p *Principal, bounded bool) bool {
	var named [direct + 1]bool
	siblings := false
	for i := range ps.entries {
		e := &ps.entries[i]
		if e.kind == anybody {
			return !bounded
		}
		named[e.reaches(p)] = true
		siblings = siblings || p.Kind == Session && e.kind == byARN && strings.HasPrefix(e.value, p.ARN[:strings.LastIndexByte(p.ARN, '/')+1])
	}
	switch {
	case bounded:
		return false
	case !p.identities():
		return named[direct]
	case p.Kind == User:
		return named[direct] && named[account]
	}
	return named[account] && named[role] && (named[direct] || p.Kind == Session && !siblings)
}
