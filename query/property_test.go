package query_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/query"
)

var ( //nolint:gochecknoglobals // generators
	words  = rapid.SampledFrom([]string{"a", "b", "ab", "", "1", "10", "2.5", "x y", "don't", "]", "&&"})
	fields = rapid.SampledFrom([]string{"attribute:p", "attribute:q", "attribute:r", "task:group", "task:definition-family"})
)

func quote(s string) string {
	if strings.Contains(s, "'") {
		return `"` + s + `"`
	}
	return "'" + s + "'"
}

// anInstance draws a subject of few names and values, so that conditions hold often.
func anInstance(t *rapid.T) *instance {
	s := &instance{
		attributes: map[string]string{}, connected: rapid.Bool().Draw(t, "connected"), running: rapid.IntRange(0, 3).Draw(t, "running"),
		version: rapid.SampledFrom([]string{"1.0.0", "1.2.0", "1.10.0-rc.1", "2", "", "x"}).Draw(t, "version"),
		ec2:     rapid.SampledFrom([]string{"", "i-1", "i-2"}).Draw(t, "ec2"),
	}
	s.registered = time.UnixMilli(rapid.Int64Range(1.5e12, 1.6e12).Draw(t, "registered"))
	for _, name := range []string{"p", "q"} {
		if rapid.Bool().Draw(t, "has "+name) {
			s.attributes[name] = words.Draw(t, name)
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "tasks") {
		s.tasks = append(s.tasks, map[string]string{"group": words.Draw(t, "group"), "definition-family": words.Draw(t, "family")})
	}
	return s
}

// aCondition draws one of all kinds.
func aCondition(t *rapid.T) string {
	ordered := rapid.SampledFrom([]string{"==", "!=", "<", "less_than_equal", ">", ">=", "not_equals"}).Draw(t, "order")
	switch rapid.IntRange(0, 8).Draw(t, "kind") {
	case 0:
		return fields.Draw(t, "subject") + rapid.SampledFrom([]string{" exists", " !exists", " NOT_EXISTS"}).Draw(t, "exists")
	case 1:
		list := rapid.SliceOfN(rapid.Map(words, quote), 1, 3).Draw(t, "list")
		return fields.Draw(t, "subject") + rapid.SampledFrom([]string{" in ", " !in ", " not_in"}).Draw(t, "in") + "[" + strings.Join(list, ",") + "]"
	case 2:
		return fields.Draw(t, "subject") + rapid.SampledFrom([]string{"=~", " matches ", " !~ "}).Draw(t, "matches") +
			rapid.SampledFrom([]string{"a.*", "'(a|b)+'", "[ab]{1,2}", ".", "'.*'"}).Draw(t, "pattern")
	case 3:
		return "agentConnected" + rapid.SampledFrom([]string{"==", " != "}).Draw(t, "equals") + fmt.Sprint(rapid.Bool().Draw(t, "connected"))
	case 4:
		return "agentVersion " + ordered + rapid.SampledFrom([]string{" 1.0.0", " 1.9", " 1.10.0"}).Draw(t, "version")
	case 5:
		return "runningTasksCount " + ordered + fmt.Sprint(" ", rapid.IntRange(-1, 4).Draw(t, "count"))
	case 6:
		return "registeredAt " + ordered + rapid.SampledFrom([]string{" 2018-06-18", " 2019-01-01T10:00:00+02:00"}).Draw(t, "time")
	case 7:
		return "ec2InstanceId" + rapid.SampledFrom([]string{" equals i-1", " in [i-1, 'i-2']", " !~ i-.*"}).Draw(t, "ec2")
	}
	return "attribute:p " + ordered + " " + quote(words.Draw(t, "value"))
}

// anExpression draws a compound one.
func anExpression(t *rapid.T, depth int) string {
	if depth == 0 {
		return aCondition(t)
	}
	switch rapid.IntRange(0, 4).Draw(t, "node") {
	case 0:
		return anExpression(t, depth-1) + rapid.SampledFrom([]string{" && ", " and "}).Draw(t, "and") + anExpression(t, depth-1)
	case 1:
		return anExpression(t, depth-1) + rapid.SampledFrom([]string{"||", " or "}).Draw(t, "or") + anExpression(t, depth-1)
	case 2:
		return rapid.SampledFrom([]string{"!", "not ", "not"}).Draw(t, "not") + "(" + anExpression(t, depth-1) + ")"
	case 3:
		return "(" + anExpression(t, depth-1) + ")"
	}
	return aCondition(t)
}

// Expressions keep the laws of logic, over all instances [D].
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anInstance(t)
		a, b := anExpression(t, 2), anExpression(t, 2)
		list := rapid.SliceOfN(rapid.Map(words, quote), 1, 3).Draw(t, "elements")
		field := fields.Draw(t, "field")
		each := make([]string, len(list))
		for i, x := range list {
			each[i] = field + " == " + x
		}
		holds := func(text string) bool {
			e, err := query.Parse(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			return e.Match(s)
		}
		for _, law := range []struct{ name, left, right string }{
			{"De Morgan", fmt.Sprintf("not ((%s) and (%s))", a, b), fmt.Sprintf("not (%s) or !(%s)", a, b)},
			{"De Morgan", fmt.Sprintf("not ((%s) or (%s))", a, b), fmt.Sprintf("not (%s) && not (%s)", a, b)},
			{"not not", a, fmt.Sprintf("not not (%s)", a)},
			{"and binds more than or", fmt.Sprintf("(%s) or not (%s) and not (%s)", a, a, a), fmt.Sprintf("(%s) or not (%s)", a, a)},
			{"in is an or of ==", field + " in [" + strings.Join(list, ", ") + "]", strings.Join(each, " or ")},
			{"!in is an and of !=", field + " !in [" + strings.Join(list, ", ") + "]", strings.ReplaceAll(strings.Join(each, " and "), "==", "!=")},
			{"!= denies ==", field + " != " + list[0], fmt.Sprintf("not (%s)", each[0])},
			{"!~ denies =~", field + " !~ 'a.*'", fmt.Sprintf("not %s =~ 'a.*'", field)},
			{"String", a, stringOf(t, a)},
		} {
			if holds(law.left) != holds(law.right) {
				t.Fatalf("%s: %s and %s", law.name, law.left, law.right)
			}
		}
	})
}

func stringOf(t *rapid.T, text string) string {
	e, err := query.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return e.String()
}

// Any text either is an expression, which String writes again, or has an error that says where.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`attribute:ecs.instance-type =~ '(t2|t3)\.(small|la[r]ge)' and not(task:group == "x y") or attribute:a !in [b,'c']`,
		`(agentConnected==true&&agentVersion>=1.2.3-rc.1+b||registeredAt<2018-06-18T22:28:28+00:00)`,
		`!attribute:a exists or runningTasksCount <= -1 and ec2InstanceId in ['i-1']`,
		`attribute:a =~ (?i)[a-c[\d&&x]]{1,2}+\p{Lu}\Qx`, `attribute:a == 'x`, "attribute:a =~ '\\x{41}[^\\S\\h]\\R\\ud83d\\ude00\\01\\cA(?<n>a|(?-is:b))*?'",
	} {
		f.Add(text)
	}
	s := sample()
	f.Fuzz(func(t *testing.T, text string) {
		e, err := query.Parse(text)
		if err != nil {
			if bad, ok := errors.AsType[*query.SyntaxError](err); !ok || bad.Offset < 0 || bad.Offset > len(text) || bad.Msg == "" {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		again := e.String()
		if len(again) > query.MaxLength {
			return
		}
		e2, err := query.Parse(again)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, again, err)
		}
		if e2.String() != again || e2.Match(s) != e.Match(s) {
			t.Fatalf("%q became %q, that %q", text, again, e2)
		}
	})
}
