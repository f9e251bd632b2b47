package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

// A table that a person can read: a line for each statement that allows everything.
func TestRolesTable(t *testing.T) {
	const text = `[{"role":"arn:aws:iam::000000000000:role/web","statements":[{"policy":"p","statement":"All"},{"policy":"arn:aws:iam::aws:policy/AdministratorAccess","statement":"1"}],
		"definitions":["web:3","api:1"],"tasks":2},{"role":"arn:aws:iam::000000000000:role/idle","statements":[{"policy":"q","statement":"2"}]}]`
	var roles []wideRole
	if err := json.Unmarshal([]byte(text), &roles); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := rolesTable(roles, &out); err != nil {
		t.Fatal(err)
	}
	const want = `ROLE  POLICY               STATEMENT  TASK DEFINITIONS  TASKS
web   p                    All        web:3 api:1       2
web   AdministratorAccess  1          web:3 api:1       2
idle  q                    2          -                 0
`
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
	out.Reset()
	if err := rolesTable(nil, &out); err != nil || out.String() != "No role allows every action on every resource.\n" {
		t.Errorf("%q %v", out.String(), err)
	}
}
