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
	refs := d.every("logGroupName", "logGroupIdentifier", "logGroupNames[]", "logGroupIdentifiers[]", "resourceArn", "resourceIdentifier", "logGroupNamePrefix")
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
	switch lastName(d.op.Resources[0]) {
	case "session":
		return d.plain(map[string]string{"session": d.one("sessionId")})
	case "task":
		return d.sessionTargets()
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
	scope := d.Principal.Scope()
	if arn, ok := model.ParseARN(ref); ok {
		arn.Tail, _, _ = strings.Cut(arn.Tail, ":")
		ref = arn.String()
	} else {
		ref, _, _ = strings.Cut(ref, ":")
	}
	t := target{arn: ref}
	if !strings.HasPrefix(ref, "arn:") {
		t.arn = model.ParameterARN(scope, ref)
	}
	if row := d.tables.ParameterByID(scope, ref); row != nil {
		t.tags = row.Tags
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
	scope := d.Principal.Scope()
	t := target{arn: ref}
	if !strings.HasPrefix(ref, "arn:") {
		t.arn = scope.ARN("secretsmanager", "secret:"+ref)
	}
	if row := d.tables.SecretByID(scope, ref); row != nil {
		t.arn, t.tags = row.ARN(), row.Tags
	}
	return []target{t}
}

// sessionTargets are the task at whose container a session is to be, and the document that says what it does, if the request names
// one. What is no target in ECS would be an instance of EC2.
func (d *decider) sessionTargets() []target {
	scope := d.Principal.Scope()
	t := target{arn: scope.ARN("ec2", "instance/"+d.one("target"))}
	if at, ok := model.ParseSessionTarget(d.one("target")); ok {
		t.arn, t.cluster = model.TaskARN(scope, at.Cluster, at.Task), model.ClusterARN(scope, at.Cluster)
		t.tags = d.ecsTags(t.arn)
	}
	if document := d.one("documentName"); document != "" {
		return []target{t, {arn: model.Scope{Region: d.Principal.Region}.ARN("ssm", "document/"+document)}}
	}
	return []target{t}
}
