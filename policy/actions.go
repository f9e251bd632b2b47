package policy

import (
	"slices"
	"strings"
	"sync"

	"github.com/roadstead/roadstead/model"
)

// Operation says how an operation is authorised: as which action, on which resource, with which condition keys, and what else
// its caller must be allowed. The tables follow AWS's service authorization reference [D]; rows of operations that it did not
// have yet are [I] and say so.
type Operation struct {
	Name   string // "RunTask"
	Action string // "ecs:RunTask"; "" if nobody needs permission for it
	// Resources are tails of ARNs with names in braces ("task-definition/{family}:{revision}"), each of which the action has to
	// be allowed on; nil means "*". With a "?" at its end it is "*" for a request that does not say all names. An operation on
	// several things (DescribeTasks) is authorised on each.
	Resources []string
	Keys      []string // condition keys besides those that every request has; "/*" stands for any tag
	Passes    []Pass
	Also      []Further
	service   string
}

// Pass is a role that the caller hands to a service: iam:PassRole has to be allowed on it, with iam:PassedToService.
type Pass struct {
	// Member of the request with the role's ARN: "overrides.taskRoleArn", "volumeConfigurations[].managedEBSVolume.roleArn".
	// With "->", of the task definition that the member before it names.
	Member  string
	Service string // "ecs-tasks.amazonaws.com"
}

// Further is an action besides the operation's own, if a member of the request is set.
type Further struct {
	Member string // "tags"
	Action string // "ecs:TagResource", which has ecs:CreateAction then
}

// LookupOperation finds an operation by its service's IAM prefix and its name. What it returns is shared: read only.
func LookupOperation(service, name string) (Operation, bool) {
	all := tables()[service]
	i, ok := slices.BinarySearchFunc(all, name, func(o Operation, name string) int { return strings.Compare(o.Name, name) })
	if !ok {
		return Operation{}, false
	}
	return all[i], true
}

// Operations are those of a service by name, by its IAM prefix: ecs, ecr, iam, kms, logs, s3, secretsmanager, ssm, sts. nil for others.
// What it returns is shared: read only.
func Operations(service string) []Operation { return tables()[service] }

var tables = sync.OnceValue(func() map[string][]Operation {
	return map[string][]Operation{
		"ecs":            operations("ecs", ecsRows(), ecsFurther),
		"ecr":            operations("ecr", ecrRows(), nil),
		"iam":            operations("iam", append(iamRows(), iamReadRows()...), iamFurther),
		"kms":            operations("kms", kmsRows(), nil),
		"logs":           operations("logs", logsRows(), nil),
		"s3":             operations("s3", s3Rows(), nil),
		"secretsmanager": operations("secretsmanager", secretsRows(), nil),
		"ssm":            operations("ssm", ssmRows(), nil),
		"sts":            operations("sts", stsRows(), stsFurther),
	}
})

// row is an operation in a table: its name, its resources and its condition keys, parted by spaces. Without resources it is
// about "*"; "free" stands for no permission at all.
type row struct{ name, resources, keys string }

const free = "free"

func operations(service string, rows []row, further func(*Operation)) []Operation {
	out := make([]Operation, 0, len(rows))
	for _, r := range rows {
		o := Operation{Name: r.name, service: service, Keys: strings.Fields(r.keys)}
		if r.resources != free {
			o.Action, o.Resources = service+":"+r.name, strings.Fields(r.resources)
		}
		if further != nil {
			further(&o)
		}
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b Operation) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// ARNs are the resources of the operation in a scope, with the names in braces as value gives them. A name without a value is
// "*": that of a task before it is made.
func (o *Operation) ARNs(s model.Scope, value func(name string) string) []string {
	if len(o.Resources) == 0 {
		return []string{"*"}
	}
	if o.service == "iam" || o.service == "sts" {
		s.Region = ""
	}
	out := make([]string, 0, len(o.Resources))
	for _, tail := range o.Resources {
		tail, optional := strings.CutSuffix(tail, "?")
		arn, all := filled(tail, value)
		if optional && !all {
			out = append(out, "*")
			continue
		}
		service := o.service
		if service == "sts" && strings.HasPrefix(tail, "role/") {
			service = "iam"
		}
		out = append(out, s.ARN(service, arn))
	}
	return out
}

// filled puts values in the place of names, and says whether all had one.
func filled(tail string, value func(string) string) (text string, all bool) {
	var b strings.Builder
	for all = true; ; {
		before, rest, ok := strings.Cut(tail, "{")
		b.WriteString(before)
		if !ok {
			return b.String(), all
		}
		name, after, _ := strings.Cut(rest, "}")
		v := value(name)
		if v == "" {
			v, all = "*", false
		}
		b.WriteString(v)
		tail = after
	}
}
