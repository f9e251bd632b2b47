package ssm_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/roadstead/roadstead/test/endpoint"
)

// [D] A parameter whose policy says so is gone when its time is up, for every operation; its name is free then. A later version keeps
// the policy, unless it says that there is none.
func TestExpiration(t *testing.T) {
	w := newWorld(t)
	expires := func(in *sdk.PutParameterInput) {
		in.Tier = "Intelligent-Tiering"
		in.Policies = aws.String(`[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"` + endpoint.Begin.AddDate(0, 0, 2).Format("2006-01-02T15:04:05.000Z") + `"}}]`)
	}
	w.put("/short", "one", expires)
	w.put("/short", "two", overwrite, func(in *sdk.PutParameterInput) { in.Tier = "Advanced" })
	w.put("/kept", "one", expires)
	w.put("/kept", "two", overwrite, func(in *sdk.PutParameterInput) { in.Tier, in.Policies = "Advanced", aws.String("[{}]") })
	list, err := w.DescribeParameters(t.Context(), &sdk.DescribeParametersInput{})
	if err != nil || len(list.Parameters) != 2 || len(list.Parameters[0].Policies) != 0 || len(list.Parameters[1].Policies) != 1 || *list.Parameters[1].Policies[0].PolicyType != "Expiration" {
		t.Fatalf("%+v, %v", list, err)
	}
	w.Day(1)
	if got := w.get("/short"); got != "/short=two v2" {
		t.Error(got)
	}
	w.Day(2)
	_, err = w.GetParameter(t.Context(), &sdk.GetParameterInput{Name: aws.String("/short")})
	refused(t, "expired", err, "ParameterNotFound", "")
	_, err = w.DeleteParameter(t.Context(), &sdk.DeleteParameterInput{Name: aws.String("/short")})
	refused(t, "expired", err, "ParameterNotFound", "")
	if list, err := w.GetParametersByPath(t.Context(), &sdk.GetParametersByPathInput{Path: aws.String("/")}); err != nil || len(list.Parameters) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if got := w.get("/kept"); got != "/kept=two v2" {
		t.Error(got)
	}
	if v := w.put("/short", "three"); v != 1 {
		t.Errorf("made anew it has the version %d", v)
	}
}

func TestPoliciesRefused(t *testing.T) {
	w := newWorld(t)
	const at = `"Version":"1.0","Attributes":{"Timestamp":"2030-01-01T00:00:00Z"}}`
	for policies, want := range map[string]string{
		"nonsense":                     "InvalidPolicyAttributeException",
		`[1]`:                          "InvalidPolicyAttributeException",
		`[{"Type":"Expiration"}]`:      "InvalidPolicyAttributeException",
		`[{"Type":"Decay",` + at + `]`: "InvalidPolicyTypeException",
		`[{"Type":"Expiration",` + at + `,{"Type":"Expiration",` + at + `]`: "IncompatiblePolicyException",
		`[{"Type":"NoChangeNotification",` + at + `]`:                       "UnsupportedFeatureException",
	} {
		_, err := w.PutParameter(t.Context(), &sdk.PutParameterInput{Name: aws.String("/p"), Value: aws.String("x"), Type: "String", Tier: "Advanced", Policies: &policies})
		refused(t, policies, err, want, "")
	}
	_, err := w.PutParameter(t.Context(), &sdk.PutParameterInput{Name: aws.String("/p"), Value: aws.String("x"), Type: "String", Policies: aws.String(`[{"Type":"Expiration",` + at + `]`)})
	refused(t, "of the standard tier", err, "ValidationException", "advanced-tier")
	if n := w.DB.Snapshot().Parameters.Len(); n != 0 {
		t.Errorf("%d parameters", n)
	}
}
