package query_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/query"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		rule, text string
		want       bool
	}{
		{"[D] == is equality of texts", `attribute:stack == prod`, true},
		{"[D] == is equality of texts", `attribute:stack == Prod`, false},
		{"[D] equals is ==", `attribute:stack equals prod`, true},
		{"[D] != denies ==", `attribute:stack != prod`, false},
		{"[D] not_equals is !=", `attribute:stack not_equals test`, true},
		{"[D] quotes are optional", `attribute:stack == 'prod'`, true},
		{"[I] quotes may be double", `attribute:apostrophe == "o'clock"`, true},
		{"[D] names and values have these characters", `attribute:odd\name/x_1.y-z == 'it has: @signs'`, true},
		{"[I] no space is needed", `attribute:stack==prod&&!attribute:stack!=prod`, true},

		{"[D] in", `attribute:ecs.availability-zone in [us-east-1a, us-east-1b]`, true},
		{"[D] in", `attribute:ecs.availability-zone in ['us-east-1b','us-east-1c']`, false},
		{"[D] !in denies in", `attribute:ecs.availability-zone !in [us-east-1b]`, true},
		{"[D] not_in is !in", `attribute:ecs.availability-zone not_in [us-east-1a]`, false},

		{"[D] exists", `attribute:stack exists`, true},
		{"[D] exists", `attribute:none exists`, false},
		{"[D] !exists", `attribute:none !exists`, true},
		{"[D] not_exists is !exists", `attribute:stack not_exists`, false},
		{"[I] an attribute without value exists", `attribute:flag exists`, true},
		{"[I] an attribute without value is ''", `attribute:flag == ''`, true},

		{"[D] =~ is about the whole text", `attribute:ecs.instance-type =~ t2.*`, true},
		{"[D] =~ is about the whole text", `attribute:ecs.instance-type =~ t2`, false},
		{"[D] =~ is about the whole text, of alternatives too", `attribute:ecs.instance-type =~ t2|t2.small`, true},
		{"[D] matches is =~", `attribute:ecs.instance-type matches '(t2|m4)\.(small|large)'`, true},
		{"[D] !~ denies =~", `attribute:ecs.instance-type !~ m4.*`, true},
		{"[D] not_matches is !~", `attribute:ecs.instance-type not_matches t2.*`, false},
		{"[I] a pattern needs no quotes for brackets", `attribute:ecs.instance-type =~ [tm][0-9]{1,2}.small`, true},
		{"[I] a pattern without quotes ends at )", `(attribute:ecs.instance-type =~ t2.*)`, true},
		{"[I] a pattern without quotes ends at &&", `attribute:ecs.instance-type =~ t2.*&&attribute:stack=~p.*`, true},

		{"[I] == is false without the attribute", `attribute:none == x`, false},
		{"[I] in is false without the attribute", `attribute:none in [x]`, false},
		{"[I] =~ is false without the attribute", `attribute:none =~ .*`, false},
		{"[I] < is false without the attribute", `attribute:none < 9`, false},
		{"[I] != is true without the attribute", `attribute:none != x`, true},
		{"[I] !in is true without the attribute", `attribute:none !in [x]`, true},
		{"[I] !~ is true without the attribute", `attribute:none !~ .*`, true},
		{"[I] numbers compare as numbers", `attribute:disk > 20.5`, true},
		{"[I] else texts compare as texts", `attribute:disk > 20GB`, false},
		{"[I] else texts compare as texts", `attribute:stack greater_than 5`, true},

		{"[D] agentConnected", `agentConnected == true`, true},
		{"[D] agentConnected", `agentConnected in [false]`, false},
		{"[D] agentConnected", `agentConnected =~ t.*`, true},
		{"[I] agentConnected in capitals", `agentConnected != TRUE`, false},
		{"[D] agentVersion compares as a version", `agentVersion > 1.9.0`, true},
		{"[D] agentVersion compares as a version", `agentVersion <= 1.14.5`, true},
		{"[D] agentVersion compares as a version", `agentVersion less_than 1.14.5`, false},
		{"[D] agentVersion compares as a version", `agentVersion == 1.14.5`, true},
		{"[D] ec2InstanceId", `ec2InstanceId in ['i-0abc', 'i-0def']`, true},
		{"[D] ec2InstanceId", `ec2InstanceId =~ i-0d.*`, false},
		{"[D] registeredAt with offset", `registeredAt < 2018-06-18T22:28:29+00:00`, true},
		{"[D] registeredAt with offset", `registeredAt == 2018-06-19T00:28:28+02:00`, true},
		{"[D] registeredAt in UTC", `registeredAt >= 2018-06-18T22:28:28Z`, true},
		{"[D] registeredAt without zone is in UTC", `registeredAt > 2018-06-18T22:28:27`, true},
		{"[D] registeredAt as a day", `registeredAt > 2018-06-18`, true},
		{"[D] registeredAt as a day", `registeredAt greater_than_equal '2018-06-19'`, false},
		{"[I] registeredAt in seconds", `registeredAt > 2018-06-18T22:28:28`, false},
		{"[I] registeredAt in milliseconds", `registeredAt > 2018-06-18T22:28:28.122`, true},
		{"[I] registeredAt in milliseconds", `registeredAt == 2018-06-18T22:28:28.123Z`, true},
		{"[I] a zone needs no colon", `registeredAt == 2018-06-18T21:28:28-0100`, true},
		{"[D] runningTasksCount", `runningTasksCount == 3`, true},
		{"[D] runningTasksCount", `runningTasksCount less_than_equal 2`, false},
		{"[D] runningTasksCount compares as a number", `runningTasksCount < 10`, true},

		{"[D] task:group is that of any task", `task:group == family:batch`, true},
		{"[D] task:group is that of any task", `task:group == service:test`, false},
		{"[D] affinity and anti-affinity", `task:group == service:production and not(task:group == database)`, true},
		{"[I] task:group != denies ==", `task:group != family:batch`, false},
		{"[I] task:group in", `task:group in [service:test, service:production]`, true},
		{"[I] task:group =~", `task:group =~ service:.*`, true},
		{"[I] task:group exists if there is a task", `task:group exists`, true},
		{"[I] task:definition-family", `task:definition-family == web`, true},

		{"[D] && and ||", `attribute:stack == test || attribute:stack == prod && agentConnected == true`, true},
		{"[D] and binds more than or", `attribute:stack == prod or attribute:stack == prod and agentConnected == false`, true},
		{"[D] parentheses", `(attribute:stack == prod or attribute:stack == prod) and agentConnected == false`, false},
		{"[D] ! and not", `!attribute:stack == test && not attribute:stack == test && not not attribute:stack == prod`, true},
		{"[D] not binds most", `not attribute:stack == test and agentConnected == false`, false},
		{"[I] words in capitals", `NOT attribute:none EXISTS AND attribute:stack IN [prod] OR agentConnected == false`, true},
		{"[I] words are words where one is expected only", `attribute:stack == not or attribute:stack == prod`, true},
		{"[I] white space", " attribute:stack\t==\nprod\r\n", true},
	} {
		if got := match(t, c.text, sample()); got != c.want {
			t.Errorf("%s: %s is %v", c.rule, c.text, got)
		}
	}
}

// What an empty instance says of every subject that is not an attribute [I].
func TestMatchOfNothing(t *testing.T) {
	for text, want := range map[string]bool{
		`task:group exists`:     false,
		`task:group == x`:       false,
		`task:group != x`:       true,
		`task:group not_exists`: true,
		`ec2InstanceId == ''`:   false, // as for an attribute that is missing
		`ec2InstanceId =~ .*`:   false,
		`ec2InstanceId != i-1`:  true,
		`agentVersion < 9.0.0`:  false, // no version is neither before nor behind another
		`agentVersion >= 0.0.0`: false,
		`agentVersion != 1.0.0`: true,
	} {
		if got := match(t, text, &instance{}); got != want {
			t.Errorf("[I] %s is %v", text, got)
		}
	}
}

// Versions compare as semantic versions do [D]; what is missing of them is 0 [I].
func TestVersionsHaveAnOrder(t *testing.T) {
	rising := []string{"0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
		"1.0.0-rc.1", "1", "1.0.1", "1.2", "1.10.0", "2.0.0-rc.1", "v2.0.0"}
	for i, v := range rising {
		for j, w := range rising {
			s := &instance{version: v}
			if match(t, "agentVersion < "+w, s) != (i < j) || match(t, "agentVersion >= "+w, s) != (i >= j) ||
				match(t, "agentVersion == "+w, s) != (i == j) {
				t.Errorf("%s and %s", v, w)
			}
		}
	}
	if !match(t, "agentVersion == 1.2.3+build.5", &instance{version: "1.2.3"}) {
		t.Error("build metadata matters")
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct {
		text   string
		offset int
		msg    string
	}{
		{``, 0, `expected a condition on agentConnected, agentVersion, attribute:NAME, ec2InstanceId, registeredAt, runningTasksCount or task:group, found the end of the expression`},
		{`stack == prod`, 0, `attribute:NAME, ec2InstanceId, registeredAt, runningTasksCount or task:group, found "stack"`},
		{`agentConnectedX == true`, 0, `found "agentConnectedX"`},
		{`attribute: == prod`, 10, `expected the name of an attribute, found " "`},
		{`attribute:stack`, 15, `expected an operator, found the end of the expression`},
		{`attribute:stack = prod`, 16, `expected an operator, found "="`},
		{`attribute:stack inside [a]`, 16, `expected an operator, found "inside"`},
		{`attribute:stack ==`, 18, `expected a value, found the end of the expression`},
		{`attribute:stack == && x`, 19, `expected a value, found "&"`},
		{`attribute:stack == 'prod`, 19, `the quote ' is not closed`},
		{`attribute:stack == a b`, 21, `expected &&, || or the end of the expression, found "b"`},
		{`attribute:stack exists prod`, 23, `expected &&, || or the end of the expression, found "prod"`},
		{`attribute:stack == prod and`, 27, `expected a condition on`},
		{`attribute:stack == prod)`, 23, `expected &&, || or the end of the expression, found ")"`},
		{`(attribute:stack == prod`, 24, `expected &&, || or ), found the end of the expression`},
		{`attribute:stack (== prod)`, 16, `expected an operator, found "("`}, // [D] no parentheses in a condition
		{`attribute:stack == (prod)`, 19, `expected a value, found "("`},
		{`attribute:stack in prod`, 19, `expected a list like [a, b], found "prod"`},
		{`attribute:stack in []`, 20, `expected a value, found "]"`},
		{`attribute:stack in [a b]`, 22, `expected , or ], found "b"`},
		{`attribute:stack in [a,`, 22, `expected a value, found the end of the expression`},
		{`attribute:stack == [a]`, 19, `expected a value, found "["`},
		{`task:id == 5`, 5, `expected group or definition-family, found "id"`},
		{`task:group > a`, 11, `task:group does not have the operator >`},
		{`agentConnected > true`, 15, `agentConnected does not have the operator >`},
		{`agentConnected exists`, 15, `agentConnected does not have the operator exists`},
		{`agentVersion in [1.0.0]`, 13, `agentVersion does not have the operator in`},
		{`ec2InstanceId greater_than i-1`, 14, `ec2InstanceId does not have the operator greater_than`},
		{`runningTasksCount =~ 1.*`, 18, `runningTasksCount does not have the operator =~`},
		{`registeredAt !in [2018-06-18]`, 13, `registeredAt does not have the operator !in`},
		{`agentConnected in [true, yes]`, 25, `expected true or false, found "yes"`},
		{`agentVersion < latest`, 15, `expected a version like 1.14.5, found "latest"`},
		{`agentVersion < 1.2.3.4`, 15, `expected a version like 1.14.5`},
		{`registeredAt < 'last week'`, 16, `expected a time like 2018-06-18T22:28:28+00:00 or 2018-06-18, found "last week"`},
		{`registeredAt < 2018-02-30`, 15, `expected a time like`},
		{`runningTasksCount == 1.5`, 21, `expected a whole number, found "1.5"`},
		{`attribute:stack =~ (a|b)`, 19, `expected a pattern, found "("`},
		{`attribute:stack =~ x(a|b)`, 20, `a pattern with parentheses needs quotes`},
		{`attribute:stack =~ '(?=a)'`, 22, `look-ahead is not supported in patterns`},
		{"attribute:stack == \xff", 19, `the expression is not valid UTF-8`},
		{`attribute:stack == prod; x`, 25, `expected &&, || or the end of the expression, found "x"`},
		{`attribute:stack ~ ü`, 16, `expected an operator, found "~"`},
		{`attribute:a == ''ü`, 17, `found "ü"`},
		{strings.Repeat("(", 66), 65, `parentheses and negations nest deeper than 64`},
		{strings.Repeat("!", 66), 65, `parentheses and negations nest deeper than 64`},
		{`attribute:a == ` + strings.Repeat("ä", 1986), 2000, `the expression has 2001 characters, more than 2000,`},
	} {
		_, err := query.Parse(c.text)
		if e, ok := errors.AsType[*query.SyntaxError](err); !ok || e.Offset != c.offset || !strings.Contains(e.Msg, c.msg) {
			t.Errorf("[I] %.60q: %v", c.text, err)
		}
	}
	if _, err := query.Parse(`attribute:a == ` + strings.Repeat("ä", 1985)); err != nil {
		t.Errorf("[D] 2000 characters are not too many: %v", err)
	}
	if _, err := query.Parse(strings.Repeat("(", 64) + `attribute:a exists` + strings.Repeat(")", 64)); err != nil {
		t.Error(err)
	}
}

func TestString(t *testing.T) {
	for text, want := range map[string]string{
		`attribute:a equals 'b'`:                   `attribute:a == b`,
		`attribute:a not_equals "it's"`:            `attribute:a != "it's"`,
		`attribute:a == ''`:                        `attribute:a == ''`,
		`attribute:a not_exists`:                   `attribute:a !exists`,
		`attribute:a NOT_IN [b,'c d']`:             `attribute:a !in [b, 'c d']`,
		`attribute:a matches x[yz],`:               `attribute:a =~ 'x[yz],'`,
		`agentVersion greater_than_equal 1.0.0`:    `agentVersion >= 1.0.0`,
		`registeredAt<2018-06-18T22:28:28+00:00`:   `registeredAt < 2018-06-18T22:28:28+00:00`,
		`agentConnected == True`:                   `agentConnected == true`,
		`not (task:group == a or task:group == b)`: `!(task:group == a || task:group == b)`,
		`not (not ((task:group == a)))`:            `!!task:group == a`,
		`((attribute:a == b and attribute:c == d)) and (attribute:e exists or attribute:f exists)`: `attribute:a == b && attribute:c == d && (attribute:e exists || attribute:f exists)`,
		`attribute:a exists or (attribute:b exists and attribute:c exists)`:                        `attribute:a exists || attribute:b exists && attribute:c exists`,
	} {
		e, err := query.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := e.String(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestUses(t *testing.T) {
	for text, want := range map[string]query.Uses{
		`attribute:b exists and (attribute:a == 1 or not attribute:b == 2)`: {Attributes: []string{"a", "b"}},
		`agentConnected == true`: {AgentConnected: true},
		`agentVersion > 1`:       {AgentVersion: true},
		`ec2InstanceId == i`:     {EC2InstanceID: true},
		`registeredAt > 2018-06-18 and runningTasksCount == 0`: {RegisteredAt: true, RunningTasks: true},
		`task:group == g or attribute:x exists`:                {Attributes: []string{"x"}, Tasks: true},
	} {
		e, err := query.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Uses(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	s := sample()
	for _, text := range []string{
		`attribute:stack == prod`, `attribute:stack in [a, b, prod]`, `attribute:ecs.instance-type =~ t2.*`, `attribute:none !exists`,
		`attribute:disk > 20`, `agentConnected == true`, `agentVersion >= 1.9.0-rc.1`, `ec2InstanceId != i-1`,
		`registeredAt > 2018-06-18`, `runningTasksCount < 10`, `not (attribute:stack == a or attribute:stack == b) and attribute:disk exists`,
	} {
		e, err := query.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { e.Match(s) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}
