package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/server"
)

// blue is a second account.
const blue = "111122223333"

type madeKey struct{ Account, AccessKeyID, SecretAccessKey string }

// secondAccount makes the account blue and returns its root user.
func secondAccount(t *testing.T, s *server.Server) *client.Client {
	t.Helper()
	var key madeKey
	ok(t, dial(t, s, "root", "secret").Do(t.Context(), "POST", "/roadstead/v1/accounts", map[string]string{"account": blue, "name": "Blue"}, &key))
	return dial(t, s, key.AccessKeyID, key.SecretAccessKey)
}

// The operator makes an account and gets its root key; the account is one of its own.
func TestAccountsAreMade(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	root := dial(t, s, "root", "secret")
	var key madeKey
	ok(t, root.Do(t.Context(), "POST", "/roadstead/v1/accounts", map[string]string{"account": blue, "name": "Blue"}, &key))
	who := as(s, key.AccessKeyID, key.SecretAccessKey, "")
	id, err := who.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	ok(t, err)
	if *id.Arn != "arn:aws:iam::"+blue+":root" || len(key.AccessKeyID) != 20 || len(key.SecretAccessKey) != 40 {
		t.Errorf("%s has the key %s", *id.Arn, key.AccessKeyID)
	}
	theirs := dial(t, s, key.AccessKeyID, key.SecretAccessKey)
	if got := clusters(t, theirs); got != "[default]" {
		t.Errorf("a dev server's second account has %s", got)
	}
	for name, in := range map[string]map[string]string{
		"again": {"account": blue}, "too short": {"account": "1"}, "letters": {"account": "11112222333a"}, "none": {}, "its own": {"account": "000000000000"},
		"a long name": {"account": "222222222222", "name": strings.Repeat("x", 51)},
	} {
		if err := root.Do(t.Context(), "POST", "/roadstead/v1/accounts", in, nil); model.ErrorCode(err) != "InvalidParameterException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	var list struct {
		Accounts []struct {
			ID, Name string
			Operator bool
		}
	}
	ok(t, root.Do(t.Context(), "GET", "/roadstead/v1/accounts", nil, &list))
	if a := list.Accounts; len(a) != 2 || !a[0].Operator || a[1].Operator || a[1].ID != blue || a[1].Name != "Blue" {
		t.Errorf("accounts: %+v", a)
	}
	ok(t, root.Do(t.Context(), "POST", "/roadstead/v1/reset", struct{}{}, nil))
	if got := clusters(t, theirs); got != "[default]" {
		t.Errorf("after a reset it has %s", got)
	}
}

// A root key that was lost is replaced; the old one is nothing then.
func TestRootKeyIsReplaced(t *testing.T) {
	s, _ := open(t, server.Config{})
	root, theirs := dial(t, s, "root", "secret"), secondAccount(t, s)
	clusters(t, theirs)
	var key madeKey
	ok(t, root.Do(t.Context(), "POST", "/roadstead/v1/accounts/"+blue+"/root-key", struct{}{}, &key))
	clusters(t, dial(t, s, key.AccessKeyID, key.SecretAccessKey))
	if err := theirs.Call(t.Context(), "ecs", "ListClusters", nil, nil); model.ErrorCode(err) != "UnrecognizedClientException" {
		t.Errorf("the old key: %v", err)
	}
	for _, id := range []string{"000000000000", "222222222222"} {
		if err := root.Do(t.Context(), "POST", "/roadstead/v1/accounts/"+id+"/root-key", struct{}{}, nil); model.ErrorCode(err) != "InvalidParameterException" {
			t.Errorf("another key of %s: %v", id, err)
		}
	}
	clusters(t, root)
}

// Nodes of an account join with a token that its root user makes, or the operator; nobody else.
func TestNodesOfAnAccount(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	root, theirs := dial(t, s, "root", "secret"), secondAccount(t, s)
	for name, c := range map[string]struct {
		who     *client.Client
		account string
		of      string
	}{
		"its own":         {theirs, "", blue},
		"by the operator": {root, blue, blue},
		"the operator's":  {root, "", "000000000000"},
	} {
		var out struct{ Token string }
		ok(t, c.who.Do(t.Context(), "POST", "/roadstead/v1/join-tokens", map[string]string{"account": c.account}, &out))
		token, err := acs.ParseJoinToken(out.Token)
		ok(t, err)
		var registered struct {
			ContainerInstance struct{ ContainerInstanceArn string }
		}
		in := map[string]any{"totalResources": []map[string]any{{"name": "CPU", "type": "INTEGER", "integerValue": 1024}, {"name": "MEMORY", "type": "INTEGER", "integerValue": 512}}}
		ok(t, dial(t, s, token.KeyID, token.Secret).Call(t.Context(), "ecs", "RegisterContainerInstance", in, &registered))
		if arn := registered.ContainerInstance.ContainerInstanceArn; !strings.HasPrefix(arn, "arn:aws:ecs:us-east-1:"+c.of+":container-instance/default/") {
			t.Errorf("%s: %s", name, arn)
		}
	}
	if err := theirs.Do(t.Context(), "POST", "/roadstead/v1/join-tokens", map[string]string{"account": "000000000000"}, nil); model.ErrorCode(err) != "AccessDeniedException" {
		t.Errorf("a node for the operator: %v", err)
	}
	if err := root.Do(t.Context(), "POST", "/roadstead/v1/join-tokens", map[string]string{"account": "222222222222"}, nil); model.ErrorCode(err) != "InvalidParameterException" {
		t.Errorf("a node for nobody: %v", err)
	}
}

// The root user of another account rules over his account, and not over the deployment: neither its accounts nor its members, and
// what is stored of others is nothing to him.
func TestOnlyTheOperatorOperates(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	theirs := secondAccount(t, s)
	root := dial(t, s, "root", "secret")
	ok(t, root.Call(t.Context(), "ecr", "CreateRepository", map[string]string{"repositoryName": "app"}, nil))
	digest := push(t, s, "app:1").String()
	blob := "/roadstead/v1/images/000000000000/us-east-1/" + digest
	ok(t, root.Do(t.Context(), http.MethodGet, blob, nil, nil))
	for _, c := range []struct {
		method, path string
		in           any
	}{
		{"POST", "/roadstead/v1/accounts", map[string]string{"account": "222222222222"}},
		{"GET", "/roadstead/v1/accounts", nil},
		{"POST", "/roadstead/v1/accounts/000000000000/root-key", struct{}{}},
		{"POST", "/roadstead/v1/accounts/" + blue + "/root-key", struct{}{}},
		{"POST", "/roadstead/v1/reset", struct{}{}},
		{"POST", acs.MembersPath, acs.Members{Members: []string{"http://evil"}}},
		{"GET", blob, nil},
		{"POST", "/roadstead/v1/images", map[string]any{"account": "000000000000", "region": "us-east-1", "digests": []string{digest}}},
		{"GET", "/roadstead/v1/objects/" + digest, nil},
		{"POST", "/roadstead/v1/objects", map[string]any{"digests": []string{digest}}},
	} {
		if err := theirs.Do(t.Context(), c.method, c.path, c.in, nil); model.ErrorCode(err) != "AccessDeniedException" {
			t.Errorf("%s %s: %v", c.method, c.path, err)
		}
	}
	if _, err := pull(t, s, "app:1"); err != nil {
		t.Errorf("after all that: %v", err)
	}
}
