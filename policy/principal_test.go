package policy_test

import (
	"testing"

	"github.com/roadstead/roadstead/policy"
)

// [D] An ARN as GetCallerIdentity shows it says what sort of caller it is.
func TestPrincipalOf(t *testing.T) {
	const account, of = "111122223333", "arn:aws:iam::111122223333:role/team/web"
	for arn, want := range map[string]policy.Principal{
		"arn:aws:iam::" + account + ":root":                   {Kind: policy.Root},
		"arn:aws:iam::" + account + ":user/ops/ann":           {Kind: policy.User},
		"arn:aws:iam::" + account + ":user/root":              {Kind: policy.User},
		"arn:aws:sts::" + account + ":assumed-role/web/s":     {Kind: policy.Session, Of: of},
		"arn:aws:sts::" + account + ":federated-user/visitor": {Kind: policy.FederatedUser, Of: of},
	} {
		got := policy.PrincipalOf(arn, "id", of)
		if got.Kind != want.Kind || got.Of != want.Of || got.Account != account || got.ARN != arn || got.ID != "id" {
			t.Errorf("%s: %+v", arn, got)
		}
	}
}
