package policy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
)

const statement = `{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}`

// doc is a document in version 2012-10-17 with one statement, of which the members are given.
func doc(members string) string { return `{"Version":"2012-10-17","Statement":{` + members + `}}` }

// allow is a document with a statement that allows, of which action and resource are given.
func allow(action, resource string) string {
	return doc(`"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"`)
}

// [D] What IAM's grammar lets be written.
func TestParse(t *testing.T) {
	for rule, c := range map[string]struct {
		kind policy.Kind
		text string
	}{
		"one statement without a list":            {policy.Managed, `{"Version":"2012-10-17","Statement":` + statement + `}`},
		"several":                                 {policy.Managed, `{"Version":"2012-10-17","Id":"x","Statement":[` + statement + `,` + statement + `]}`},
		"the older version":                       {policy.RoleInline, `{"Version":"2008-10-17","Statement":[` + statement + `]}`},
		"no version is the older":                 {policy.UserInline, `{"Statement":[` + statement + `]}`},
		"members in any order":                    {policy.GroupInline, `{"Statement":[{"Resource":["*"],"Action":["s3:GetObject","*"],"Effect":"Deny","Sid":""}],"Version":"2012-10-17"}`},
		"numbers and booleans without quotes":     {policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":true},"NumericLessThan":{"b":[1,2.5]}}`)},
		"no condition":                            {policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateGreaterThan":{},"nonsense":{}}`)},
		"no values":                               {policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"a":[]}}`)},
		"NotAction and NotResource":               {policy.Managed, doc(`"Effect":"Deny","NotAction":["iam:*"],"NotResource":"arn:aws:s3:::b/*"`)},
		"an ARN that ends with its service":       {policy.Managed, allow("s3:ListBucket", "arn:aws:fdsasf")},
		"or with a star":                          {policy.Managed, allow("s3:ListBucket", "arn:aws:ecs:*")},
		"other partitions":                        {policy.Managed, allow("s3:ListBucket", "arn:aws-cn:ecs:cn-north-1:111122223333:cluster/a")},
		"any partition":                           {policy.Managed, allow("s3:ListBucket", "arn:*:iam::*:role/a")},
		"access points of S3":                     {policy.Managed, allow("s3:GetObject", "arn:aws:s3:us-west-2:123456789012:accesspoint/a/object/*")},
		"paths of IAM":                            {policy.Managed, allow("iam:GetUser", "arn:aws:iam::111122223333:user/${aws:username}")},
		"a handed-over policy":                    {policy.SessionPolicy, `{"Statement":` + statement + `}`},
		"trust in services":                       {policy.Trust, doc(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":["ecs-tasks.amazonaws.com","ec2.amazonaws.com"]}`)},
		"trust in accounts, users and sessions":   {policy.Trust, doc(`"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Principal":{"AWS":["111122223333","arn:aws:iam::111122223333:root","arn:aws:iam::111122223333:user/a/b","arn:aws:sts::111122223333:assumed-role/r/s","AROAEXAMPLE","*"]}`)},
		"trust in an identity provider":           {policy.Trust, doc(`"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"accounts.google.com"}`)},
		"anybody, without a resource":             {policy.Resource, doc(`"Sid":"any word","Effect":"Allow","Action":"ecr:*","Principal":"*"`)},
		"NotPrincipal of a Deny":                  {policy.Resource, doc(`"Effect":"Deny","Action":"s3:*","Resource":"*","NotPrincipal":{"AWS":"111122223333"}`)},
		"white space does not count for limits":   {policy.UserInline, strings.Repeat(" \n", 3000) + `{"Statement":` + statement + `}`},
		"names of actions that nobody ever heard": {policy.Managed, allow("service-prefix:action-name", "*")},
	} {
		if _, err := policy.Parse(c.kind, "p", c.text); err != nil {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

// [O] What IAM refuses, in its words. Where several things are wrong, the first that IAM looks at.
func TestMalformed(t *testing.T) {
	const (
		syntax = "Syntax errors in policy."
		legacy = "The policy failed legacy parsing"
		vendor = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
		none   = "Policy statement must contain actions."
		where  = "Policy statement must contain resources."
		old    = "Policy document must be version 2012-10-17 or greater."
	)
	for _, c := range []struct {
		kind       policy.Kind
		text, want string
	}{
		{policy.Managed, "", syntax},
		{policy.Managed, "no json", syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*"`) + "x", syntax},
		{policy.Managed, "[]", syntax},
		{policy.Managed, `{"Version":"2012-10-17"}`, syntax},
		{policy.Managed, `{"Version":"2012-10-17","Statement":[]}`, syntax},
		{policy.Managed, `{"Version":"2012-10-17","Statement":["x"]}`, syntax},
		{policy.Managed, `{"Version":"2013-10-17","Statement":` + statement + `}`, syntax},
		{policy.Managed, `{"Version":"2012-10-17","Extra":"","Statement":` + statement + `}`, syntax},
		{policy.Managed, `{"Version":"2012-10-17","Id":{},"Statement":` + statement + `}`, syntax},
		{policy.Managed, doc(`"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"`), syntax}, // [D] no key twice
		{policy.Managed, doc(`"Effect":"maybe","Action":"*","Resource":"*"`), syntax},
		{policy.Managed, doc(`"Action":"*","Resource":"*"`), syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Extra":"x"`), syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","NotAction":[],"Resource":"*"`), syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","NotResource":[]`), syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":[[]],"Resource":"*"`), syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":null,"Resource":"*"`), syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":{"a":"b"}`), syntax},
		{policy.Managed, doc(`"Sid":[],"Effect":"Allow","Action":"*","Resource":"*"`), syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Condition":[]`), syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"a":"b"}`), syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"x":{"a":"1"}}`), syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NullIfExists":{"a":"1"}}`), syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAnyValue::StringEquals":{"a":"1"}}`), syntax},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"a":{}}}`), syntax},
		{policy.Managed, `{"Statement":` + statement + `}`, old},
		{policy.Managed, `{"Version":"2008-10-17","Statement":` + statement + `}`, old},
		{policy.Managed, `{"Statement":{"Effect":"denY","Action":"s3:ListBucket","Resource":"*"}}`, old},
		{policy.Managed, doc(`"Effect":"denY","Action":"s3:ListBucket","Resource":"*"`), legacy},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"a":"soon"}}`), legacy},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateLessThan":{"a":"9223372036854775808"}}`), legacy},
		{policy.Managed, doc(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateLessThan":{"a":"234-13"}}`), legacy},
		{policy.Managed, doc(`"Effect":"Allow","Resource":"arn:aws:s3::example_bucket"`), legacy},
		{policy.Managed, allow("s3:ListBucket", "arn:aws::::example_bucket"), legacy},
		{policy.Managed, allow("s3:ListBucket", "arn:aws::fdsasf"), legacy},
		{policy.Managed, `{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"aLLow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Allow"}]}`, legacy},
		{policy.Managed, `{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Allow"}]}`, "Statement IDs (SID) in a single policy must be unique."},
		{policy.Managed, doc(`"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"`), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"},
		{policy.Managed, allow("invalid", "*"), vendor},
		{policy.Managed, doc(`"Effect":"Allow","NotAction":"","Resource":"*"`), vendor},
		{policy.Managed, doc(`"Effect":"Allow","Action":"invalid"`), vendor},
		{policy.Managed, allow("a a:ListBucket", "*"), "Vendor a a is not valid"},
		{policy.Managed, allow("s3:List:Bucket", "*"), "Actions/Condition can contain only one colon."},
		{policy.Managed, allow("s3:ListBucket", "invalid resource"), `Resource invalid resource must be in ARN format or "*".`},
		{policy.Managed, allow("s:3:ListBucket", ""), `Resource  must be in ARN format or "*".`},
		{policy.Managed, allow("s3:ListBucket", "a:bsdfdsafsad"), `Partition "bsdfdsafsad" is not valid for resource "arn:bsdfdsafsad:*:*:*:*".`},
		{policy.Managed, allow("s3:ListBucket", "a:b:c:d:e:f:g:h"), `Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".`},
		{policy.Managed, allow("s3:ListBucket", "aws:s3:::example_bucket"), `Partition "s3" is not valid for resource "arn:s3:::example_bucket:*".`},
		{policy.Managed, allow("s3:ListBucket", "arn:error:s3:::example_bucket"), `Partition "error" is not valid for resource "arn:error:s3:::example_bucket".`},
		{policy.Managed, allow("s3:ListBucket", "arn:aws"), "Resource vendor must be fully qualified and cannot contain regexes."},
		{policy.Managed, allow("s3:ListBucket", "arn:aws:s*:::b"), "Resource vendor must be fully qualified and cannot contain regexes."},
		{policy.Managed, allow("s3:ListBucket", "arn:aws:iam:us-east-1::user/a"), "IAM resource arn:aws:iam:us-east-1::user/a cannot contain region information."},
		{policy.Managed, allow("s3:ListBucket", "arn:aws:s3:us-east-1::b"), "Resource arn:aws:s3:us-east-1::b can not contain region information."},
		{policy.Managed, allow("s3:ListBucket", "arn:aws:iam:::example_bucket"), `IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.`},
		{policy.Managed, doc(`"Effect":"Allow","Action":"s3:ListBucket"`), where},
		{policy.Managed, doc(`"Effect":"Allow","Action":"s3:ListBucket","Resource":[]`), where},
		{policy.Managed, doc(`"Effect":"Allow","Resource":"*"`), none},
		{policy.Managed, doc(`"Effect":"Allow","Action":[],"Resource":"*"`), none},
		{policy.RoleInline, doc(`"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"`), "Policy document should not specify a principal."},
		{policy.Trust, doc(`"Effect":"Allow","Action":"sts:AssumeRole"`), "Missing required field Principal"},
		{policy.Trust, doc(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":[]}`), "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in policy has a statement with no principals!"},
		{policy.Trust, doc(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"111122223333"},"Resource":"*"`), "Has prohibited field Resource"},
		{policy.Trust, doc(`"Effect":"Allow","Action":"ecs:RunTask","Principal":{"AWS":"111122223333"}`), "AssumeRole policy may only specify STS AssumeRole actions."},
		{policy.Trust, doc(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"`), `AssumeRolepolicy contained an invalid principal: "STAR":"*".`},
		{policy.Trust, doc(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ecs"}`), `Invalid principal in policy: "SERVICE":"ecs"`},
		{policy.Trust, doc(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::111122223333:role/*"}`), `Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/*"`},
		{policy.Trust, doc(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::111122223333:group/g"}`), `Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:group/g"`},
		{policy.Trust, doc(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Robot":"x"}`), syntax},
	} {
		_, err := policy.Parse(c.kind, "p", c.text)
		refused(t, c.text, err, "MalformedPolicyDocument", c.want)
	}
}

func refused(t *testing.T, what string, err error, code, message string) {
	t.Helper()
	e, ok := errors.AsType[*model.Error](err)
	if !ok || e.Code != code || e.Message != message {
		t.Errorf("%s: got %v\nwant %s: %s", what, err, code, message)
	}
}

// [D] NotPrincipal stands with Deny only, and in no trust policy.
func TestNotPrincipal(t *testing.T) {
	for _, c := range []struct {
		kind   policy.Kind
		effect string
	}{{policy.Resource, "Allow"}, {policy.Trust, "Deny"}} {
		text := doc(`"Effect":"` + c.effect + `","Action":"sts:AssumeRole","NotPrincipal":{"AWS":"111122223333"}`)
		if _, err := policy.Parse(c.kind, "p", text); model.ErrorCode(err) != "MalformedPolicyDocument" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// [D] The limits of each kind, and the words of their refusal [O].
func TestLimits(t *testing.T) {
	long := func(n int) string {
		text := doc(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::` + "%" + `"`)
		return strings.Replace(text, "%", strings.Repeat("x", n-len(text)+1), 1)
	}
	for _, c := range []struct {
		kind  policy.Kind
		limit int
		want  string
	}{
		{policy.UserInline, 2048, "Maximum policy size of 2048 bytes exceeded"},
		{policy.GroupInline, 5120, "Maximum policy size of 5120 bytes exceeded"},
		{policy.RoleInline, 10240, "Maximum policy size of 10240 bytes exceeded"},
		{policy.Managed, 6144, "Cannot exceed quota for PolicySize: 6144"},
	} {
		if _, err := policy.Parse(c.kind, "p", long(c.limit)); err != nil {
			t.Error(err)
		}
		_, err := policy.Parse(c.kind, "p", long(c.limit+1))
		refused(t, "one more", err, "LimitExceeded", c.want)
	}
	_, err := policy.Parse(policy.Trust, "p", long(2049))
	refused(t, "trust", err, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")

	if err := policy.RoleInline.CheckInline("web", long(5000), long(5240)); err != nil {
		t.Error(err)
	}
	refused(t, "all inline policies of a role", policy.RoleInline.CheckInline("web", long(5000), long(5241)),
		"LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role web")
}

// [I] What a policy looks at, and whom it names.
func TestKeysAndPrincipals(t *testing.T) {
	p, err := policy.Parse(policy.Resource, "p", doc(`"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:PrincipalTag/Team}/*",
		"Principal":{"AWS":["111122223333","arn:aws:iam::111122223333:user/b","arn:aws:iam::111122223333:role/a"],"Service":"ec2.amazonaws.com"},
		"Condition":{"StringEquals":{"aws:ResourceTag/x":"${aws:username, 'none'}"},"Null":{"aws:TokenIssueTime":"true"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Keys(), []string{"aws:principaltag/team", "aws:resourcetag/x", "aws:tokenissuetime", "aws:username"}; !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	if got, want := p.Principals(), []string{"arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:user/b"}; !slices.Equal(got, want) {
		t.Errorf("principals %q, want %q", got, want)
	}
	if p.Kind() != policy.Resource {
		t.Errorf("kind %d", p.Kind())
	}
}

// [I] A policy of a resource has to name whom it allows. One of another kind in its place names nobody.
func TestResourcePolicyNames(t *testing.T) {
	p, err := policy.Parse(policy.Managed, "p", allow("*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, caller := range []*policy.Principal{{}, {Kind: policy.User, Account: home, ARN: "arn:aws:iam::" + home + ":user/x"}} {
		r := &policy.Request{Principal: caller, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Owner: home}
		if d := policy.Decide(r, &policy.Policies{Resource: p}); d.Allowed {
			t.Error(d.Explain())
		}
	}
}

// [D] What a simulation shows: every statement that applies, where it stands, and which keys were asked for in vain.
func TestSimulation(t *testing.T) {
	const text = "{\n \"Version\": \"2012-10-17\",\n \"Statement\": [\n  {\"Effect\": \"Allow\", \"Action\": \"s3:*\", \"Resource\": \"*\"},\n" +
		"  {\"Effect\": \"Deny\", \"Action\": \"sqs:*\", \"Resource\": \"*\"},\n" +
		"  {\"Effect\": \"Deny\", \"Action\": \"s3:Put*\", \"Resource\": \"arn:aws:s3:::ü/${aws:username}\",\n   \"Condition\": {\"Null\": {\"aws:TokenIssueTime\": \"true\"}}}]}"
	p, err := policy.Parse(policy.Managed, "p", text)
	if err != nil {
		t.Fatal(err)
	}
	caller := &policy.Principal{Kind: policy.User, Account: home, ARN: "arn:aws:iam::" + home + ":user/ann", ID: "AIDAX"}
	r := &policy.Request{Principal: caller, Action: "s3:PutObject", Resource: "arn:aws:s3:::ü/ann", Context: &policy.Context{}}
	caller.Describe(r.Context)
	ps := &policy.Policies{Identity: []*policy.Policy{p}, Boundary: p}
	want := []policy.Match{
		{Layer: policy.ByIdentity, Policy: p, Statement: 0, Allow: true, Begin: policy.Position{Line: 4, Column: 3}, End: policy.Position{Line: 4, Column: 57}},
		{Layer: policy.ByIdentity, Policy: p, Statement: 2, Begin: policy.Position{Line: 6, Column: 3}, End: policy.Position{Line: 7, Column: 58}},
	}
	for _, m := range slices.Clone(want) {
		m.Layer = policy.ByBoundary
		want = append(want, m)
	}
	if got := policy.Matches(r, ps); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	others, err := policy.Parse(policy.Resource, "o", doc(`"Effect":"Allow","Action":"*","Resource":"*","Principal":{"AWS":"arn:aws:iam::111122223333:user/bob"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := policy.Matches(r, &policy.Policies{Resource: others}); got != nil {
		t.Errorf("a policy about somebody else: %+v", got)
	}
	if got := policy.Missing(r, ps); !slices.Equal(got, []string{"aws:tokenissuetime"}) {
		t.Errorf("missing %q", got)
	}
}

// [I] Statements that allow everything on everything.
func TestWide(t *testing.T) {
	p, err := policy.Parse(policy.Managed, "p", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","*"],"Resource":["arn:aws:s3:::b","*"]},`+
		`{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b"},{"Effect":"Deny","Action":"*","Resource":"*"},`+
		`{"Effect":"Allow","NotAction":"*","Resource":"*"},{"Effect":"Allow","Action":"*","NotResource":"*"},`+
		`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":true}}},{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Wide(); !slices.Equal(got, []int{0, 7}) {
		t.Errorf("wide are %v", got)
	}
}
