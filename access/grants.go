package access

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
)

// Grants of KMS's keys count as statements of a policy that stands around the key's own: whom they name needs nothing else, and a Deny
// anywhere still refuses him [D].

// grantStatement is a statement of such a policy.
type grantStatement struct {
	Effect    string
	Principal map[string]string
	Action    []string
	Resource  string
	Condition map[string]map[string]any `json:",omitempty"`
}

// grants is the policy of the grants of a key that are about the caller, nil if there are none.
func (d *decider) grants(key *model.KMSKey) (*policy.Policy, error) {
	var all []grantStatement
	named := d.namedGrant()
	for g := range d.tables.GrantsOf(key) {
		if d.Operation == "RetireGrant" && g.ID == named && d.is(g.Retiring) {
			all = append(all, grantStatement{"Allow", map[string]string{"AWS": g.Retiring}, []string{"kms:RetireGrant"}, "*", nil})
		}
		if d.is(g.Grantee) {
			all = append(all, d.granted(g, named)...)
		}
	}
	if all == nil {
		return nil, nil
	}
	text, err := json.Marshal(map[string]any{"Version": "2008-10-17", "Statement": all}) // the version in which values have no variables
	if err != nil {
		return nil, err
	}
	return d.compiled.get(policy.KeyPolicy, "grants of "+key.ARN(), string(text))
}

// is says whether the ARN of a grant means the caller: by himself, by his role, or by his account.
func (d *decider) is(arn string) bool {
	return arn != "" && (arn == d.who.ARN || arn == d.who.Of || strings.HasSuffix(arn, ":root") && strings.Contains(arn, ":"+d.who.Account+":"))
}

// granted is what a grant allows: operations that have an encryption context, with the grant's conditions about it, and others [D].
func (d *decider) granted(g *model.KMSGrant, named string) []grantStatement {
	var with, without []string
	for _, op := range g.Operations {
		switch {
		case op == "RetireGrant" && d.Operation == "RetireGrant" && g.ID != named: // a grant's grantee retires that grant only
		case op == "CreateGrant":
		case strings.Contains(op, "crypt") || strings.HasPrefix(op, "GenerateDataKey"):
			with = append(with, "kms:"+op)
		default:
			without = append(without, "kms:"+op)
		}
	}
	who := map[string]string{"AWS": g.Grantee}
	var out []grantStatement
	if without != nil {
		out = append(out, grantStatement{"Allow", who, without, "*", nil})
	}
	if with != nil {
		out = append(out, grantStatement{"Allow", who, with, "*", constraints(g)})
	}
	if slices.Contains(g.Operations, "CreateGrant") { // of no more than it allows itself [D]
		c := constraints(g)
		if c == nil {
			c = map[string]map[string]any{}
		}
		both := map[string]any{"kms:GrantOperations": g.Operations}
		maps.Copy(both, c["ForAllValues:StringEquals"])
		c["ForAllValues:StringEquals"] = both
		if g.Equals != nil {
			equal := maps.Clone(c["StringEquals"])
			equal["kms:GrantConstraintType"] = "EncryptionContextEquals"
			c["StringEquals"] = equal
		}
		out = append(out, grantStatement{"Allow", who, []string{"kms:CreateGrant"}, "*", c})
	}
	return out
}

// constraints are a grant's conditions about the encryption context, nil for none.
func constraints(g *model.KMSGrant) map[string]map[string]any {
	pairs := g.Subset
	if g.Equals != nil {
		pairs = g.Equals
	}
	if pairs == nil {
		return nil
	}
	equal := map[string]any{}
	for k, v := range pairs {
		equal["kms:EncryptionContext:"+k] = v
	}
	out := map[string]map[string]any{"StringEquals": equal}
	if g.Equals != nil {
		out["ForAllValues:StringEquals"] = map[string]any{"kms:EncryptionContextKeys": slices.Sorted(maps.Keys(pairs))}
	}
	return out
}

// namedGrant is the id of the grant that a request is about: it stands in it, or in its token.
func (d *decider) namedGrant() string {
	if token := d.one("grantToken"); token != "" {
		_, id := GrantToken(token)
		return id
	}
	return d.one("grantId")
}

// GrantToken reads the key's ARN and the grant's id out of a grant's token; they are empty if it is none.
func GrantToken(token string) (key, id string) {
	text, err := base64.URLEncoding.DecodeString(token)
	if err != nil {
		return "", ""
	}
	key, id, _ = strings.Cut(string(text), " ")
	return key, id
}
