package access

import (
	"strings"

	"github.com/roadstead/roadstead/model"
)

// ecrTargets are the repositories that a request names, in the registry that it names, or by ARN.
func (d *decider) ecrTargets() []target {
	if len(d.op.Resources) == 0 {
		return d.plain(nil)
	}
	scope := d.Principal.Scope()
	if id := d.one("registryId"); id != "" {
		scope.Account = id
	}
	refs := d.every("repositoryName", "repositoryNames[]", "resourceArn")
	if refs == nil {
		refs = []string{"*"}
	}
	var out []target
	for _, ref := range refs {
		t := target{arn: ref}
		if !strings.HasPrefix(ref, "arn:") {
			t.arn = scope.ARN("ecr", "repository/"+ref)
		}
		if a, ok := model.ParseARN(t.arn); ok {
			if r, ok := d.tables.Repositories.Get(a.Scope.Key(strings.TrimPrefix(a.Tail, "repository/"))); ok {
				t.tags = r.Tags
			}
		}
		out = append(out, t)
	}
	return out
}
