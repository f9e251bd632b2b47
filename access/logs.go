package access

import (
	"strings"

	"github.com/roadstead/roadstead/model"
)

// logsTargets are the log groups that a request names, by name or ARN, or its log stream. One that names none is about the group
// with an empty name, or with the prefix that it asks for [O].
func (d *decider) logsTargets() []target {
	if len(d.op.Resources) == 0 {
		return d.plain(nil)
	}
	refs := d.every("logGroupName", "logGroupIdentifier", "logGroupNames[]", "logGroupIdentifiers[]", "resourceArn", "logGroupNamePrefix")
	if refs == nil {
		refs = []string{""}
	}
	var out []target
	for _, ref := range refs {
		group := model.ARN{Partition: "aws", Service: "logs", Scope: d.Principal.Scope(), Tail: "log-group:" + ref}
		if arn, ok := model.ParseARN(ref); ok {
			group = arn
			group.Tail = strings.TrimSuffix(arn.Tail, ":*")
		}
		t := target{}
		if row, ok := d.tables.LogGroups.Get(group.Scope.Key(strings.TrimPrefix(group.Tail, "log-group:"))); ok {
			t.tags = row.Tags
		}
		switch _, stream, _ := strings.Cut(d.op.Resources[0], ":log-stream:"); {
		case stream != "":
			group.Tail += ":log-stream:" + d.one("logStreamName")
		case strings.HasSuffix(d.op.Resources[0], ":log-stream:"):
			group.Tail += ":log-stream:"
		}
		t.arn = group.String()
		out = append(out, t)
	}
	return out
}

// ssmTargets are sessions of ExecuteCommand, and parameters: the ARN of /a/b is parameter/a/b.
func (d *decider) ssmTargets() []target {
	if len(d.op.Resources) == 0 {
		return d.plain(nil)
	}
	if lastName(d.op.Resources[0]) == "session" {
		return d.plain(map[string]string{"session": d.one("sessionId")})
	}
	refs := d.every("names[]", "name", "path", "resourceId")
	if refs == nil {
		refs = []string{"*"}
	}
	var out []target
	for _, ref := range refs {
		out = append(out, d.parameter(ref))
	}
	return out
}

// parameter is the one that a request names by name or ARN. Which of its versions is asked for, "NAME:3" or "NAME:LABEL", is nothing
// that policies can say, nor hide behind.
func (d *decider) parameter(ref string) target {
	at, ok := model.ParseARN(ref)
	if !ok {
		at = model.ARN{Partition: "aws", Service: "ssm", Scope: d.Principal.Scope(), Tail: "parameter/" + strings.TrimPrefix(ref, "/")}
	}
	at.Tail, _, _ = strings.Cut(at.Tail, ":")
	t := target{arn: at.String()}
	name := strings.TrimPrefix(at.Tail, "parameter/")
	for _, key := range []string{at.Scope.Key(name), at.Scope.Key("/" + name)} {
		if row, ok := d.tables.Parameters.Get(key); ok && row.ARN() == t.arn {
			t.tags = row.Tags
		}
	}
	return t
}

// secretTargets is the secret that a request names: by its ARN, which has six characters of its own, however it was named. One that
// is not there goes by what was said.
func (d *decider) secretTargets() []target {
	if len(d.op.Resources) == 0 {
		return d.plain(nil)
	}
	ref := d.one("secretId", "name")
	at, ok := model.ParseARN(ref)
	if !ok {
		at = model.ARN{Partition: "aws", Service: "secretsmanager", Scope: d.Principal.Scope(), Tail: "secret:" + ref}
	}
	t := target{arn: at.String()}
	name := strings.TrimPrefix(at.Tail, "secret:")
	names := []string{name}
	if i := len(name) - 7; i > 0 && name[i] == '-' {
		names = append(names, name[:i])
	}
	for _, n := range names {
		if row, found := d.tables.Secrets.Get(at.Scope.Key(n)); found && (n == name || row.ARN() == t.arn) {
			t.arn, t.tags = row.ARN(), row.Tags
			break
		}
	}
	return []target{t}
}
