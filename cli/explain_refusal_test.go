package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The message of a refused call is decoded, and told in sentences; what would have allowed the call is named.
func TestExplainRefusal(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ EncodedMessage string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.EncodedMessage != "rsdenied1.x" || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DecodeAuthorizationMessage") {
			t.Errorf("asked for %q of %+v, %v", r.Header.Get("X-Amz-Target"), in, err)
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"DecodedMessage": `{"allowed":false,"context":{"principal":{"id":"AIDA1","arn":"arn:aws:iam::0:user/ann"},"action":"ecs:RunTask","resource":"*"},
			"explanation":"refused: no identity-based policy allows it","near":["statement Prod of the identity-based policy work: it is not about *"]}`})
	}))
	defer srv.Close()
	t.Setenv("ROADSTEAD_ENDPOINT", srv.URL)
	const want = `arn:aws:iam::0:user/ann asked for ecs:RunTask on *.
It was refused: no identity-based policy allows it.

These statements are about the action, and would allow it:
  statement Prod of the identity-based policy work: it is not about *
`
	if out, stderr, code := run(t, "explain", "rsdenied1.x"); out != want || code != 0 {
		t.Errorf("exit %d, %q, %q", code, out, stderr)
	}
	out, stderr, code := run(t, "explain", "--json", "rsdenied1.x")
	if !strings.Contains(out, `"explanation": "refused: no identity-based policy allows it"`) || code != 0 {
		t.Errorf("as JSON: exit %d, %q, %q", code, out, stderr)
	}
}
