package model_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/model"
)

func TestARNs(t *testing.T) {
	s := model.Scope{Account: "123456789012", Region: "eu-west-1"}
	task := model.Task{Launch: &model.Launch{Scope: s, Cluster: "c"}, ID: "t1", Instance: "i1"}
	for want, got := range map[string]string{
		"arn:aws:ecs:eu-west-1:123456789012:cluster/c":                      (&model.Cluster{Scope: s, Name: "c"}).ARN(),
		"arn:aws:ecs:eu-west-1:123456789012:task/c/t1":                      task.ARN(),
		"arn:aws:ecs:eu-west-1:123456789012:container/c/t1/u1":              task.ContainerARN(&model.Container{ID: "u1"}),
		"arn:aws:ecs:eu-west-1:123456789012:container-instance/c/i1":        model.InstanceARN(s, "c", "i1"),
		"arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7":          (&model.TaskDefinition{Scope: s, Family: "web", Revision: 7}).ARN(),
		"arn:aws:ecs:eu-west-1:123456789012:capacity-provider/spot":         (&model.CapacityProvider{Scope: s, Name: "spot"}).ARN(),
		"arn:aws:ecr:eu-west-1:123456789012:repository/team/web":            (&model.Repository{Scope: s, Name: "team/web"}).ARN(),
		"arn:aws:iam::123456789012:root":                                    (&model.AccessKey{Account: s.Account, Kind: model.KeyRoot}).PrincipalARN(),
		"arn:aws:sts::123456789012:assumed-role/roadstead-node/RSNODEKEY01": (&model.AccessKey{ID: "RSNODEKEY01", Account: s.Account, Kind: model.KeyNode}).PrincipalARN(),
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if a, ok := model.ParseARN(got); !ok || a.String() != got {
			t.Errorf("%s parses into %+v, %v", got, a, ok)
		}
	}
	if task.InstanceKey() != model.InstanceKey(s, "c", "i1") {
		t.Errorf("the task's instance has the key %s", task.InstanceKey())
	}
}

func TestParseARN(t *testing.T) {
	for _, c := range []struct{ in, typ, segments string }{
		{"arn:aws:ecs:us-east-1:000000000000:task/default/0123", "task", "default 0123"},
		{"arn:aws:ecs:us-east-1:000000000000:task/0123", "task", "0123"}, // the old short form
		{"arn:aws:ecr:us-east-1:000000000000:repository/a/b/c", "repository", "a b c"},
		{"arn:aws-cn:ecs:cn-north-1:000000000000:task-definition/web:1", "task-definition", "web:1"},
		{"arn:aws:iam::000000000000:root", "root", ""},
	} {
		a, ok := model.ParseARN(c.in)
		if !ok || a.Type() != c.typ || strings.Join(a.Segments(), " ") != c.segments {
			t.Errorf("%s: got %v, type %q, segments %q", c.in, ok, a.Type(), a.Segments())
		}
	}
	for _, in := range []string{"", "arn", "arn:aws:ecs:r:a:", "urn:aws:ecs:r:a:task/x", "task/default/0123", "arn:aws:ecs:r:task",
		"arn:aws:ecs:us-east-1/default:000000000000:task/x", "arn:aws:ecs:us-east-1:000000000000/us-east-1:task/x"} {
		if a, ok := model.ParseARN(in); ok {
			t.Errorf("%q is no ARN, but parses into %+v", in, a)
		}
	}
}

func FuzzParseARN(f *testing.F) {
	f.Add("arn:aws:ecs:us-east-1:000000000000:task/default/0123")
	f.Add("arn:aws:iam::000000000000:root")
	f.Add("arn:aws:ecs:us-east-1:000000000000:")
	f.Fuzz(func(t *testing.T, in string) {
		a, ok := model.ParseARN(in)
		if !ok {
			return
		}
		if a.String() != in {
			t.Errorf("%q comes back as %q", in, a)
		}
		if got := strings.Join(append([]string{a.Type()}, a.Segments()...), "/"); got != a.Tail {
			t.Errorf("tail %q comes back as %q", a.Tail, got)
		}
		if strings.Contains(a.Account+a.Region, "/") {
			t.Errorf("%q has the scope %+v, whose keys could be another's", in, a.Scope)
		}
	})
}

// keysOf are keys of one row of each kind, with the given names.
func keysOf(s model.Scope, a, b string) []string {
	return []string{
		(&model.Cluster{Scope: s, Name: a}).Key(),
		(&model.Instance{Scope: s, Cluster: a, ID: b}).Key(),
		(&model.Task{Launch: &model.Launch{Scope: s, Cluster: a}, ID: b}).Key(),
		(&model.Family{Scope: s, Name: a}).Key(),
		(&model.TaskDefinition{Scope: s, Family: a, Revision: 1}).Key(),
		(&model.RunToken{Scope: s, Cluster: a, Token: b}).Key(),
		(&model.CapacityProvider{Scope: s, Name: a}).Key(),
		(&model.Repository{Scope: s, Name: a + "/" + b}).Key(),
		(&model.AccountSetting{Scope: s, Name: a, Principal: "arn:aws:iam::x:user/" + b}).Key(),
	}
}

// Two accounts, or Regions, never share a key; within one, different names never do.
func TestKeysNeverCollide(t *testing.T) {
	account := rapid.StringMatching(`[0-9]{12}`)
	region := rapid.SampledFrom([]string{"us-east-1", "us-east-2", "eu-west-1"})
	name := rapid.StringMatching(`[A-Za-z0-9_-]{1,4}`)
	rapid.Check(t, func(t *rapid.T) {
		one := model.Scope{Account: account.Draw(t, "account"), Region: region.Draw(t, "region")}
		two := model.Scope{Account: account.Draw(t, "account"), Region: region.Draw(t, "region")}
		a, b := name.Draw(t, "a"), name.Draw(t, "b")
		c, d := name.Draw(t, "c"), name.Draw(t, "d")
		ours, theirs := keysOf(one, a, b), keysOf(two, c, d)
		for i := range ours {
			same := one == two && a == c && (b == d || !strings.HasSuffix(ours[i], b))
			if (ours[i] == theirs[i]) && !same {
				t.Fatalf("%v %s %s and %v %s %s share %s", one, a, b, two, c, d, ours[i])
			}
			for j := range theirs {
				if one != two && ours[i] == theirs[j] {
					t.Fatalf("%v and %v share %s", one, two, ours[i])
				}
			}
		}
	})
}

// Revisions of a family sort in the order of their numbers.
func TestDefinitionKeysSortByRevision(t *testing.T) {
	s := model.Scope{Account: "000000000000", Region: "us-east-1"}
	last := ""
	for _, n := range []int32{1, 2, 9, 10, 11, 99, 100, 1<<31 - 1} {
		key := model.DefinitionKey(s, "web", n)
		if key <= last {
			t.Errorf("revision %d has the key %s, not after %s", n, key, last)
		}
		last = key
	}
}

func TestErrorCode(t *testing.T) {
	err := model.Errorf("ClusterNotFoundException", "Cluster %s.", "c")
	if got := err.Error(); got != "ClusterNotFoundException: Cluster c." {
		t.Errorf("got %q", got)
	}
	if got := (&model.Error{Code: "X"}).Error(); got != "X" {
		t.Errorf("got %q", got)
	}
	if got := model.ErrorCode(fmt.Errorf("place task: %w", err)); got != "ClusterNotFoundException" {
		t.Errorf("got %q", got)
	}
	if got := model.ErrorCode(errors.New("disk full")); got != "" {
		t.Errorf("got %q of an error that is none of ours", got)
	}
}
