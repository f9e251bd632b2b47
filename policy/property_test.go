package policy_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
)

// A case of a small world: few names, so that statements and requests often meet.
type statements []map[string]any

type scene struct {
	identity, boundary, session, resource statements
	request                               policy.Request
}

const (
	home   = "111122223333"
	abroad = "444455556666"
)

func effects(t *rapid.T) string {
	return rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(t, "effect")
}

func drawStatement(t *rapid.T, resource bool) map[string]any {
	s := map[string]any{"Effect": effects(t)}
	name := rapid.SampledFrom([]string{"Action", "Action", "Action", "NotAction"}).Draw(t, "element")
	s[name] = rapid.SliceOfN(rapid.SampledFrom([]string{"*", "s3:*", "s3:get*", "s3:PutObject", "ecs:R?nTask"}), 1, 2).Draw(t, "actions")
	name = rapid.SampledFrom([]string{"Resource", "Resource", "Resource", "NotResource"}).Draw(t, "element")
	s[name] = rapid.SliceOfN(rapid.SampledFrom([]string{"*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/x"}), 1, 2).Draw(t, "resources")
	if op := rapid.SampledFrom([]string{"", "", "StringEquals", "StringNotLike", "ForAllValues:StringEquals", "ForAnyValue:StringNotEquals", "StringEqualsIfExists", "Null"}).Draw(t, "operator"); op != "" {
		values := []string{"x", "y", "${aws:username}", "${aws:PrincipalTag/none}", "true"}
		s["Condition"] = map[string]any{op: map[string]any{"k": rapid.SliceOfN(rapid.SampledFrom(values), 0, 2).Draw(t, "values")}}
	}
	if resource {
		s["Principal"] = map[string]any{"AWS": rapid.SliceOfN(rapid.SampledFrom([]string{"*", home, abroad, "arn:aws:iam::" + home + ":user/x",
			"arn:aws:iam::" + home + ":role/r", "arn:aws:sts::" + home + ":assumed-role/r/s"}), 1, 2).Draw(t, "principals")}
	}
	return s
}

func drawStatements(t *rapid.T, resource bool, least int) (out statements) {
	for range rapid.IntRange(least, 3).Draw(t, "statements") {
		out = append(out, drawStatement(t, resource))
	}
	return out
}

func drawScene(t *rapid.T) *scene {
	p := rapid.SampledFrom([]*policy.Principal{
		{Kind: policy.User, Account: home, ARN: "arn:aws:iam::" + home + ":user/x", ID: "AIDAX"},
		{Kind: policy.User, Account: abroad, ARN: "arn:aws:iam::" + abroad + ":user/x", ID: "AIDAY"},
		{Kind: policy.Session, Account: home, ARN: "arn:aws:sts::" + home + ":assumed-role/r/s", Of: "arn:aws:iam::" + home + ":role/r", ID: "AROAR:s"},
		{Kind: policy.Root, Account: home, ARN: "arn:aws:iam::" + home + ":root", ID: home},
		{},
	}).Draw(t, "principal")
	s := &scene{
		identity: drawStatements(t, false, 0), resource: drawStatements(t, true, 0),
		boundary: drawStatements(t, false, 0), session: drawStatements(t, false, 0),
	}
	s.request = policy.Request{
		Principal: p, Owner: home, Context: &policy.Context{},
		Action:   rapid.SampledFrom([]string{"s3:GetObject", "s3:PutObject", "ecs:RunTask"}).Draw(t, "action"),
		Resource: rapid.SampledFrom([]string{"arn:aws:s3:::b/x", "arn:aws:s3:::b/y", "*"}).Draw(t, "resource"),
	}
	p.Describe(s.request.Context)
	s.request.Context.Set("k", rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", ""}), 0, 2).Draw(t, "k")...)
	return s
}

func (s *scene) policies(t *rapid.T) *policy.Policies {
	parse := func(kind policy.Kind, from statements) *policy.Policy {
		if len(from) == 0 {
			return nil
		}
		text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": from})
		if err != nil {
			t.Fatal(err)
		}
		p, err := policy.Parse(kind, "p", string(text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ps := &policy.Policies{Boundary: parse(policy.Managed, s.boundary), Resource: parse(policy.Resource, s.resource)}
	if p := parse(policy.Managed, s.identity); p != nil {
		ps.Identity = []*policy.Policy{p}
	}
	if p := parse(policy.SessionPolicy, s.session); p != nil {
		ps.Session = []*policy.Policy{p}
	}
	return ps
}

func (s *scene) decide(t *rapid.T) policy.Decision { return policy.Decide(&s.request, s.policies(t)) }

func everything(effect string) map[string]any {
	return map[string]any{"Effect": effect, "Action": "*", "Resource": "*"}
}

func toAll(s map[string]any) map[string]any {
	s["Principal"] = "*"
	return s
}

// [D] A Deny about everything refuses, wherever it stands and whatever else is said.
func TestDenyWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		identities := s.request.Principal.Kind == policy.User || s.request.Principal.Kind == policy.Session
		layer := rapid.SampledFrom([]policy.Layer{policy.ByIdentity, policy.ByBoundary, policy.BySession, policy.ByResource}).Draw(t, "layer")
		switch layer {
		case policy.ByIdentity:
			s.identity = append(s.identity, everything("Deny"))
		case policy.ByBoundary:
			s.boundary = append(s.boundary, everything("Deny"))
		case policy.BySession:
			s.session = append(s.session, everything("Deny"))
		default:
			s.resource = append(s.resource, toAll(everything("Deny")))
		}
		if !identities && layer != policy.ByResource {
			return // root and nobody have no policies of their own
		}
		if d := s.decide(t); d.Allowed || !d.Explicit {
			t.Fatalf("%+v", d)
		}
	})
}

// [D] One more statement that allows never takes access away, one more that denies never gives any.
func TestMoreStatements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		before := s.decide(t)
		layer := rapid.IntRange(0, 3).Draw(t, "layer")
		more := drawStatement(t, layer == 3)
		// A first statement makes a layer that was not there, and boundary and session narrow by being there.
		to := []*statements{&s.identity, &s.boundary, &s.session, &s.resource}[layer]
		if len(*to) == 0 && (layer == 1 || layer == 2) {
			return
		}
		*to = slices.Insert(*to, rapid.IntRange(0, len(*to)).Draw(t, "place"), more)
		after := s.decide(t)
		if more["Effect"] == "Allow" && before.Allowed && !after.Allowed || more["Effect"] == "Deny" && !before.Allowed && after.Allowed {
			t.Fatalf("%v in layer %d\nbefore %s\nafter  %s", more, layer, before.Explain(), after.Explain())
		}
	})
}

// [D] A boundary and session policies only ever narrow.
func TestBoundaryAndSessionNarrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		with := s.decide(t)
		s.boundary, s.session = nil, nil
		if without := s.decide(t); with.Allowed && !without.Allowed {
			t.Fatalf("with %s\nwithout %s", with.Explain(), without.Explain())
		}
	})
}

// [D] The order of statements changes nothing, and how many policies they stand in does not either.
func TestOrderIsIrrelevant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		before := s.decide(t)
		for _, layer := range []*statements{&s.identity, &s.boundary, &s.session, &s.resource} {
			*layer = rapid.Permutation(*layer).Draw(t, "order")
		}
		after := s.decide(t)
		ps := s.policies(t)
		ps.Identity = nil
		for _, one := range s.identity {
			ps.Identity = append(ps.Identity, (&scene{identity: statements{one}}).policies(t).Identity...)
		}
		apart := policy.Decide(&s.request, ps)
		for _, d := range []policy.Decision{after, apart} {
			if d.Allowed != before.Allowed || d.Explicit != before.Explicit || d.Layer != before.Layer || d.Message(&s.request) != before.Message(&s.request) {
				t.Fatalf("before %s\nafter  %s", before.Explain(), d.Explain())
			}
		}
	})
}

// [D] Nobody but the root user and those whom a resource names has access without an identity policy; and abroad nobody without
// the resource's.
func TestNothingByItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		if rapid.Bool().Draw(t, "abroad") {
			s.request.Owner, s.resource = "999999999999", nil
		} else if s.request.Principal.Kind != policy.Root {
			s.identity, s.resource = nil, nil
		} else {
			return
		}
		if d := s.decide(t); d.Allowed {
			t.Fatal(d.Explain())
		}
	})
}

// [D] Abroad nobody but a root user has access that his own side does not allow, whatever the other side says.
func TestAbroadNeedsBothSides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		s.identity, s.request.Owner = nil, "999999999999"
		if k := s.request.Principal.Kind; k != policy.User && k != policy.Session {
			return
		}
		if d := s.decide(t); d.Allowed {
			t.Fatal(d.Explain())
		}
	})
}

// [D] Wildcards mean what the same regular expression does.
func TestWildcards(t *testing.T) {
	letters := rapid.StringOfN(rapid.RuneFrom([]rune("ab:/*?€$")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		pattern, subject := letters.Draw(t, "pattern"), letters.Draw(t, "subject")
		p, err := policy.Parse(policy.Managed, "p", doc(`"Effect":"Allow","Action":"*","Resource":"arn:aws:x:::`+pattern+`"`))
		if err != nil {
			t.Fatal(err)
		}
		want := regexp.MustCompile(`(?s)^` + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern)) + `$`).MatchString(subject)
		r := &policy.Request{Principal: &policy.Principal{Kind: policy.User, Account: home}, Action: "a:b", Resource: "arn:aws:x:::" + subject, Owner: home}
		if got := policy.Decide(r, &policy.Policies{Identity: []*policy.Policy{p}}).Allowed; got != want {
			t.Fatalf("%q ~ %q is %v", pattern, subject, got)
		}
	})
}

// Whatever is stored, reading it does not panic, refuses with AWS's codes, and what was accepted can be asked.
func FuzzParse(f *testing.F) {
	f.Add(uint8(policy.Managed), allow("s3:Get*", "arn:aws:s3:::b/${aws:username, 'x'}*"), "arn:aws:s3:::b/x")
	f.Add(uint8(policy.Trust), doc(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":["*","111122223333"]}`), "*")
	f.Add(uint8(policy.Resource), doc(`"Effect":"Deny","NotAction":"s3:*","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:root"},"Condition":{"ForAllValues:ArnLike":{"k":"arn:*"}}`), "*")
	f.Add(uint8(policy.KeyPolicy), doc(`"Effect":"Allow","Action":"*","Principal":"*","Condition":{"IpAddress":{"k":["::1/64","1.2.3.4"]},"DateLessThan":{"k":"2026"},"NumericEquals":{"k":1e3},"BinaryEquals":{"k":"eA=="}}`), "x")
	f.Fuzz(func(t *testing.T, kind uint8, text, subject string) {
		p, err := policy.Parse(policy.Kind(kind%8), "p", text)
		if err != nil {
			if code := model.ErrorCode(err); code != "MalformedPolicyDocument" && code != "LimitExceeded" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		caller := &policy.Principal{Kind: policy.Session, Account: home, ARN: "arn:aws:sts::" + home + ":assumed-role/r/s", Of: "arn:aws:iam::" + home + ":role/r", ID: "AROAR:s"}
		r := &policy.Request{Principal: caller, Action: "s3:GetObject", Resource: subject, Context: &policy.Context{}}
		caller.Describe(r.Context)
		for _, key := range p.Keys() {
			r.Context.Set(key, subject, "x")
		}
		ps := &policy.Policies{Identity: []*policy.Policy{p}, Boundary: p, Session: []*policy.Policy{p}, Resource: p}
		d := policy.Decide(r, ps)
		if d.Allowed == (d.Message(r) != "") || d.Explain() == "" {
			t.Fatalf("%+v", d)
		}
		policy.Near(r, ps)
	})
}

// [D] A question mark is a character, however many bytes that has, also after a star had to give way.
func TestQuestionMarksAreCharacters(t *testing.T) {
	for _, c := range []struct {
		pattern, subject string
		want             bool
	}{
		{"?", "€", true}, {"??", "€", false}, {"*??aq", "€aq", false}, {"*??aq", "€€aq", true}, {"*?€", "€€", true}, {"*€?", "€", false},
	} {
		p, err := policy.Parse(policy.Managed, "p", doc(`"Effect":"Allow","Action":"*","Resource":"arn:aws:x:::`+c.pattern+`"`))
		if err != nil {
			t.Fatal(err)
		}
		r := &policy.Request{Principal: &policy.Principal{Kind: policy.User, Account: home}, Action: "a:b", Resource: "arn:aws:x:::" + c.subject, Owner: home}
		if got := policy.Decide(r, &policy.Policies{Identity: []*policy.Policy{p}}).Allowed; got != c.want {
			t.Errorf("%q ~ %q is %v", c.pattern, c.subject, got)
		}
	}
}
