package logquery_test

import (
	"maps"
	"testing"

	"github.com/roadstead/roadstead/logquery"
)

const accessLine = `127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534`

// The rules of AWS's page "Filter pattern syntax" [D], by its examples; [I] where it says nothing.
func TestPattern(t *testing.T) {
	const event = `{"eventType":"UpdateTrail","sourceIPAddress":"111.111.111.111","arrayKey":["value","another"],"objectList":[{"name":"a","id":1},{"name":"b","id":2}],` +
		`"SomeObject":null,"ThisFlag":true,"latency":50,"errorCode":400,"small":1e-3,"user":{"id":1,"email":"John.Stiles@example.com"},"dotted.name":7}`
	for _, c := range []struct {
		pattern, message string
		want             bool
	}{
		{"", "anything", true},
		{"ERROR", "[ERROR 400] BAD REQUEST", true},
		{"ERROR", "[error 400]", false}, // case matters
		{"ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", true},
		{"ERROR ARGUMENTS", "[ERROR 400] BAD REQUEST", false},
		{"?ERROR ?ARGUMENTS", "[ERROR 401] UNAUTHORIZED", true},
		{"?ERROR ?ARGUMENTS", "fine", false},
		{"?ERROR REQUEST", "BAD REQUEST", true}, // optional ones do not count beside others
		{`"INTERNAL SERVER ERROR"`, "[ERROR 500] INTERNAL SERVER ERROR", true},
		{`"INTERNAL SERVER ERROR"`, "[ERROR 500] INTERNAL ERROR OF SERVER", false},
		{`"say \"hi\""`, `they say "hi"`, true},
		{"ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", false},
		{"ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", true},
		{`-"BAD REQUEST"`, "fine", true},
		{`%4\d\d%`, "status 404", true},
		{`%4\d\d%`, "status 500", false},

		{`{ $.eventType = "UpdateTrail" }`, event, true},
		{`{ $.eventType = UpdateTrail }`, event, true},
		{`{ $.eventType = "Update*" }`, event, true},
		{`{ $.sourceIPAddress != 123.123.* }`, event, true},
		{`{ $.sourceIPAddress != 111.111.* }`, event, false},
		{`{ $.arrayKey[0] = "value" }`, event, true},
		{`{ $.arrayKey[2] = "value" }`, event, false},
		{`{ $.arrayKey[*] = "another" }`, event, true},
		{`{ $.objectList[1].id = 2 }`, event, true},
		{`{ $.SomeObject IS NULL }`, event, true},
		{`{ $.SomeOtherObject NOT EXISTS }`, event, true},
		{`{ $.SomeObject NOT EXISTS }`, event, false},
		{`{ $.ThisFlag IS TRUE }`, event, true},
		{`{ $.ThisFlag is false }`, event, false},
		{`{ $.latency >= 50 }`, event, true},
		{`{ $.latency < 50 }`, event, false},
		{`{ $.errorCode = 4* }`, event, true},
		{`{ $.small = 0.001 }`, event, true},
		{`{ ($.user.id = 1) && ($.user.email = "John.*") }`, event, true},
		{`{ $.user.id = 2 && $.errorCode = 400 || $.latency = 50 }`, event, true}, // && binds more
		{`{ $.user.id = 2 && ($.errorCode = 400 || $.latency = 50) }`, event, false},
		{`{ $.nothing != 1 }`, event, false}, // [I]
		{`{ $["dotted.name"] = 7 }`, event, true},
		{`{ $.eventType = %^Up.*l$% }`, event, true},
		{`{ $.eventType = "UpdateTrail" }`, "UpdateTrail", false}, // not JSON
		{`{ $.a = 1 }`, `{"a":1`, false},

		{"[ip, id, user, timestamp, request, status_code, bytes]", accessLine, true},
		{"[ip, id, user, timestamp, request, status_code]", accessLine, false},
		{"[ip, id, user, timestamp, request, status_code=4*, bytes]", accessLine, true},
		{"[ip, id, user, timestamp, request, status_code=5*, bytes]", accessLine, false},
		{"[..., status_code = 400 || status_code = 404, bytes > 1000]", accessLine, true},
		{"[ip=%127\\.0%, ..., bytes < 1000]", accessLine, false},
		{`[ip, ..., request="*.html*", status_code, bytes]`, accessLine, true},
		{"[w1=ERROR, w2]", "ERROR line", true},
		{"[w1!=ERROR && w1!=WARN, w2]", "WARN line", false},
		{"[, second=b]", "a b", true},
	} {
		p, err := logquery.ParsePattern(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
		} else if got := p.Match(c.message); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.message, got)
		}
	}
}

func TestPatternRefused(t *testing.T) {
	for pattern, want := range map[string]string{
		"foo:bar":          "Invalid character(s) in term 'foo:bar'", // [O]
		"-":                "Invalid character(s) in term ''",
		`"open`:            "a quote in the filter pattern is not closed",
		`{ $.a = 1`:        "the filter pattern does not end with } at ''",
		`{ a = 1 }`:        "a selector in the filter pattern does not begin with $ at 'a = 1 }'",
		`{ $.a 1 }`:        "an operator is missing in the filter pattern at '1 }'",
		`{ $.a > "x" }`:    "> in the filter pattern needs a number, not 'x'",
		`{ ($.a = 1 }`:     "a parenthesis in the filter pattern is not closed at '}'",
		`[a, ..., b, ...]`: "the filter pattern has more than one ellipsis",
		`[a=1 && b=2]`:     "a field of the filter pattern has two names, 'a' and 'b'",
		`[a, b`:            "the filter pattern does not end with ]",
		`%(%`:              "invalid regular expression in the filter pattern: error parsing regexp: missing closing ): `(`",
	} {
		if _, err := logquery.ParsePattern(pattern); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
}

// What a metric can be made of [D].
func TestExtract(t *testing.T) {
	for _, c := range []struct {
		pattern, message string
		want             map[string]string
	}{
		{"[ip, id, user, timestamp, request, status_code, bytes]", accessLine, map[string]string{
			"$ip": "127.0.0.1", "$id": "-", "$user": "frank", "$timestamp": "10/Oct/2000:13:25:15 -0700",
			"$request": "GET /index.html HTTP/1.0", "$status_code": "404", "$bytes": "1534",
		}},
		{"[..., bytes]", "a b 7", map[string]string{"$1": "a", "$2": "b", "$bytes": "7"}},
		{"{ $.a = * }", `{"a":1.5,"b":2}`, map[string]string{"$.a": "1.5"}},
		{"word", "a word", map[string]string{}},
	} {
		p, err := logquery.ParsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Extract(c.message); !ok || !maps.Equal(got, c.want) {
			t.Errorf("%s: %v %v, want %v", c.pattern, got, ok, c.want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{ $.a[0]["b"] = "x*" && ($.c IS NULL || $.d > 1) }`, `{"a":[{"b":"xy"}],"c":null}`)
	f.Add(`[a, ..., b=4* || b=5*]`, accessLine)
	f.Add(`?a -"b c" %d%`, "abc")
	f.Fuzz(func(_ *testing.T, pattern, message string) {
		if p, err := logquery.ParsePattern(pattern); err == nil {
			p.Match(message)
			p.Extract(message)
		}
	})
}
