package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// AWSPolicy is a policy that every account has from AWS: arn:aws:iam::aws:policy/...
type AWSPolicy struct {
	ARN, Path, Name string
	ID              string // "ANPA...", ours
	Description     string
	Document        string
}

// AWSManaged returns the AWS managed policy with the ARN. There are those that people attach to the roles of tasks, nodes,
// pipelines and operators, as AWS documents them as far as they are about services that are served here [D].
func AWSManaged(arn string) (AWSPolicy, bool) {
	if !strings.HasPrefix(arn, awsPrefix) { // nearly all that are asked for
		return AWSPolicy{}, false
	}
	all := AWSPolicies()
	i, ok := slices.BinarySearchFunc(all, arn, func(p AWSPolicy, arn string) int { return cmp.Compare(p.ARN, arn) })
	if !ok {
		return AWSPolicy{}, false
	}
	return all[i], true
}

const awsPrefix = "arn:aws:iam::aws:policy/"

// AWSPolicies are all AWS managed policies, by ARN. What it returns is shared: read only.
func AWSPolicies() []AWSPolicy { return awsPolicies() }

var awsPolicies = sync.OnceValue(func() []AWSPolicy {
	var out []AWSPolicy
	for _, r := range awsRows() {
		p := AWSPolicy{ARN: awsPrefix + r.name, Path: "/", Name: r.name, Description: r.description, Document: r.document()}
		if i := strings.LastIndexByte(r.name, '/'); i >= 0 {
			p.Path, p.Name = "/"+r.name[:i+1], r.name[i+1:]
		}
		sum := sha256.Sum256([]byte(p.ARN))
		p.ID = "ANPA" + base32.StdEncoding.EncodeToString(sum[:])[:17]
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b AWSPolicy) int { return cmp.Compare(a.ARN, b.ARN) })
	return out
})

// awsRow is a policy in the table: its name with the path, and its statements.
type awsRow struct {
	name, description string
	statements        []awsStatement
}

// awsStatement allows actions, parted by spaces, on resources; none are all.
type awsStatement struct {
	Effect    string
	Action    any `json:",omitempty"`
	NotAction any `json:",omitempty"`
	Resource  any
	Condition any `json:",omitempty"`
}

func allowing(actions string, resources ...string) awsStatement {
	s := awsStatement{Effect: "Allow", Action: strings.Fields(actions), Resource: "*"}
	if len(resources) > 0 {
		s.Resource = resources
	}
	return s
}

func passing(role string, services ...string) awsStatement {
	s := allowing("iam:PassRole", role)
	s.Condition = map[string]any{"StringLike": map[string]any{"iam:PassedToService": services}}
	return s
}

func (r awsRow) document() string {
	b, err := json.MarshalIndent(map[string]any{"Version": version2012, "Statement": r.statements}, "", "  ")
	if err != nil {
		panic("policy: " + err.Error()) // texts and lists of them
	}
	return string(b)
}
