package query_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/query"
)

// parsePattern parses a condition with the pattern.
func parsePattern(pattern string) (*query.Expr, error) {
	quote := "'"
	if strings.Contains(pattern, quote) {
		quote = `"`
	}
	return query.Parse(patternPrefix + quote + pattern + quote)
}

const patternPrefix = `attribute:a =~ `

// Patterns are those of java.util.regex.Pattern, and match the whole text [D]. Each row was checked against JDK 17.
func TestPatternsMeanWhatTheyMeanInJava(t *testing.T) {
	for _, c := range []struct{ pattern, matches, fails string }{ // texts are separated by |; ↵ is a newline, ∅ nothing
		{``, `∅`, `a`},
		{`t2.*`, `t2.|t2.small`, `t2↵x|xt2.|t3`},
		{`a|b|`, `a|b|∅`, `ab`},
		{`ab*c+d?`, `ac|abbccd`, `abab|d`},
		{`a{2}b{1,}c{0,2}`, `aab|aabbcc`, `ab|aabccc`},
		{`a*?b+?c??d{1,2}?`, `abd|aabbcdd`, `ac|∅`},
		{`(ab)+(?:cd)*(?<name1>e)?`, `abab|abcde`, `a|cd`},
		{`.`, `a|é|𐐀`, "↵|ab|∅|\r|\u0085|\u2028"},
		{`(?s).`, `a|↵`, `ab`},
		{`(?s:.).`, `↵a`, `a↵`},
		{`^ab$`, `ab`, `a|b|∅`},
		{`a^b`, ``, `ab|a↵b`},
		{`\Aab\z|\Acd\Z`, `ab|cd`, `a`},
		{`(?i)aBé`, `abé|ABé|Abé`, `abÉ`},
		{`(?i)k`, `k|K`, "\u212a"},
		{`a(?i)b|c`, `ab|aB|C`, `AB`},
		{`a(?i:b)c(?-i)d`, `abcd|aBcd`, `abCd|abcD`},
		{`(?i-s)A(?-i:A).`, `aAx`, `aax|aA↵`},
		{`((?i)a)a`, `aa|Aa`, `aA`},
		{`(?i)[a-cX]+`, `abcx|ABCX`, `d`},
		{`(?i)[^a]`, `b`, `a|A`},
		{`(?i)[W-d]+`, `wXyZ[_abcdABCDW`, `v|e`},
		{`(?i)\Qab\E\x43`, `abc|ABC`, `abd`},
		{`[abc][^abc]`, `ad|b1|c↵`, `aa|d`},
		{`[a-c-]+`, `a-c`, `d`},
		{`[-a]+[a\-z]`, `-a-|aa`, `ab`},
		{`[]a]+`, `]a`, `[`},
		{`[^]a]`, `b|[`, `]|a`},
		{`[a^]`, `a|^`, `b`},
		{`[a&b]+`, `a&b`, `c`},
		{`[a-d[m-p]]+`, `adm`, `e|[|]`},
		{`[[a-b]-z]+`, `a-z`, `c`},
		{`[[:alpha:]]+`, `:alph`, `b|[`}, // a union, not a POSIX class
		{`[\d\-.]+[\D]`, `1.2-a`, `1a1`},
		{`[\w-z]+`, `a_-z`, `.`},
		{`[\W]`, `-|é`, `a|_`},
		{`[.*+?{}()|$^]+`, `.*+?{}()$^`, `a`},
		{`[\[\]\\^]+`, `[]\^`, `a`},
		{`[ -~]`, `a| |~`, `é`},
		{`[\Qa-c\E]+`, `a-c`, `b`},
		{`[\Q]\E^]+`, `]^`, `a`},
		{`\d\D\w\W\s\S`, `1a_- x`, `1a_-  `},
		{`\s`, "\t| |\v|\f|\r|↵", "\u00a0|\u0085|a"},
		{`\S`, "a|\u00a0|\u0085", "\t| |\v|↵"},
		{`\h`, " |\t|\u00a0|\u1680|\u180e|\u2003|\u3000", "↵|\v|a"},
		{`\H`, "↵|\v|a", " |\t|\u00a0|\u2003"},
		{`\v`, "↵|\v|\f|\r|\u0085|\u2029", "\t| |v"},
		{`\V`, "\t| |v", "↵|\v|\u0085|\u2028"},
		{`[\h\v]+[\H]+[^\v\S]`, " ↵\va\t", "aa"},
		{`a\Rb`, "a↵b|a\r↵b|a\rb|a\vb|a\u0085b", "a↵\rb|ab"},
		{`\bab\b.\Bc`, ``, `abxc`},
		{`\bab\b-\bc`, `ab-c`, `abc`},
		{`a\Bb`, `ab`, `a b`},
		{`\Qa.b*\E+`, `a.b*|a.b***`, `axb|a.b`},
		{`\Qa.b`, `a.b`, `axb`},
		{`\\Qa`, `\Qa`, `Qa`},
		{`\Q\E`, `∅`, `Q`},
		{`\Qa\Qb\E`, `a\Qb`, `ab`},
		{`\t\n\r\f\a\e`, "\t↵\r\f\a\x1b", ``},
		{`\x41\x{1F600}\u00e9\0101\07\cA`, "A\U0001F600éA\a\x01", ``},
		{`\0477`, `'7`, ``},
		{`\ud83d\ude00`, "\U0001F600", ``},
		{`[\x41-\u0043\0141-\x{63}]+`, `ABCabc`, `d`},
		{`\.\*\[\-\/\ \_\"\é`, `.*[-/ _"é`, ``},
		{`a]b}`, `a]b}`, ``},
		{`é+ü`, `ééü`, `éé`},
		{`\p{Lower}\p{Upper}\P{Upper}`, `aAa|zZé`, `éÉé|aAA`},
		{`\p{Alpha}\p{Digit}\p{Alnum}\p{Punct}`, `a1b!|Z92~`, `é1a!|a1a1`},
		{`\p{Graph}\p{Print}\p{Blank}\p{Space}`, "! \t↵|~~  ", ` aaa`},
		{`\p{Cntrl}\p{XDigit}\p{ASCII}\P{ASCII}`, "\x7fF\x00é", `aFaé`},
		{`[\p{Lower}\P{ASCII}]+`, `aé`, `A`},
		{`\p{L}\pN\p{Lu}\P{Lu}\PL`, `é1Éé1`, `11Éé1|é1ééé`},
		{`\p{IsLu}\p{gc=Nd}\p{general_category=P}`, `A5!`, `a5!`},
		{`\p{IsLatin}\p{script=Greek}\p{sc=CYRILLIC}\p{Isgreek}`, `aβдγ`, `βaдγ`},
		{`[^\p{L}]`, `1`, `a`},
		{`(?i)\p{L}[\p{Nd}a]`, `a1|BA`, `ab`},
		{`(a(b(c)?)?)*`, `∅|abca`, `b`},
		{`()|(?:)x`, `∅|x`, `y`},
		{`^*a$?\b+`, `a`, ``},
		{`m5\.(x?large|\d{1,2}xlarge)`, `m5.large|m5.xlarge|m5.12xlarge`, `m5xlarge|m5.123xlarge`},
	} {
		e, err := parsePattern(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		for i, texts := range []string{c.matches, c.fails} {
			if texts == "" {
				continue
			}
			for text := range strings.SplitSeq(strings.NewReplacer("↵", "\n", "∅", "").Replace(texts), "|") {
				if got := e.Match(&instance{attributes: map[string]string{"a": text}}); got != (i == 0) {
					t.Errorf("[D] %s of %q is %v", c.pattern, text, got)
				}
			}
		}
	}
}

// What RE2 cannot do, Java does not know or Java's versions disagree on is refused, and said to be [I].
func TestPatternsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		pattern string
		offset  int
		msg     string
	}{
		{`a(?=b)`, 3, `look-ahead is not supported`},
		{`a(?!b)`, 3, `look-ahead is not supported`},
		{`(?<=a)b`, 2, `look-behind is not supported`},
		{`(?<!a)b`, 2, `look-behind is not supported`},
		{`(?>a)`, 2, `atomic groups are not supported`},
		{`(a)\1`, 3, `back-references are not supported`},
		{`(?<n>a)\k<n>`, 7, `back-references are not supported`},
		{`a++`, 2, `possessive repetitions are not supported`},
		{`a*+b`, 2, `possessive repetitions are not supported`},
		{`a{1,2}+`, 6, `possessive repetitions are not supported`},
		{`[a-z&&[^b]]`, 4, `intersections of classes are not supported`},
		{`[a[^b]]`, 2, `unions with negated classes are not supported`},
		{`[^a[b]]`, 3, `unions with negated classes are not supported`},
		{`\b{g}`, 0, `\b{g} is not supported`},
		{`\X`, 0, `\X is not supported`},
		{`\G`, 0, `\G is not supported`},
		{`\N{DIGIT ONE}`, 0, `\N is not supported`},
		{`[\R]`, 1, `\R is not supported`},
		{`[\b]`, 1, `\b is not supported`},
		{`a\E`, 1, `\E is not supported`},
		{`\y`, 0, `\y is not supported`},
		{`(?x)a b`, 2, `the flag x is not supported`},
		{`(?u)a`, 2, `the flag u is not supported`},
		{`(?iU:a)`, 3, `the flag U is not supported`},
		{`(?m)a`, 2, `the flag m is not supported`},
		{`(?d)a`, 2, `the flag d is not supported`},
		{`(?q)a`, 2, `unknown flag 'q'`},
		{`(?P<n>a)`, 2, `unknown flag 'P'`},
		{`(?i-s-m)a`, 5, `second -`},
		{`(?i`, 3, `a group of the pattern is not closed`},
		{`(?`, 2, `a group of the pattern is not closed`},
		{`(?<1a>b)`, 3, `bad name`},
		{`(?<>b)`, 3, `bad name`},
		{`(?<a_b>b)`, 4, `bad name`},
		{`(?<a>b)(?<a>c)`, 10, `two groups of the pattern have the name a`},
		{`\p{InGreek}`, 0, `\p{InGreek} is not supported`},
		{`\p{javaLowerCase}`, 0, `\p{javaLowerCase} is not supported`},
		{`[\P{IsAlphabetic}]`, 1, `\p{IsAlphabetic} is not supported`},
		{`\p{Nope}`, 0, `\p{Nope} is not supported`},
		{`\p{Greek}`, 0, `\p{Greek} is not supported`}, // Java wants IsGreek
		{`\p{Lu`, 0, `\p{Lu is not supported`},
		{`\p`, 0, `\p is not supported`},
		{`(?i)\p{Lower}`, 4, `\p{Lower} together with the flag i`},
		{`(?i)\p{Lu}`, 4, `\p{Lu} together with the flag i`},
		{`*a`, 0, `the * of the pattern repeats nothing`},
		{`a**`, 2, `the * of the pattern repeats nothing`},
		{`a|+`, 2, `the + of the pattern repeats nothing`},
		{`(?i)*`, 4, `the * of the pattern repeats nothing`},
		{`(?)`, -1, ``},
		{`{1}`, 0, `the { of the pattern repeats nothing`},
		{`a{2}{3}`, 4, `the { of the pattern repeats nothing`},
		{`a{`, 1, `none of {n}, {n,} and {n,m}`},
		{`a{,3}`, 1, `none of {n}, {n,} and {n,m}`},
		{`a{1, 2}`, 1, `none of {n}, {n,} and {n,m}`},
		{`a{3,2}`, 1, `ends below its begin`},
		{`a{1001}`, 1, `more than 1000`},
		{`a{99999999999999999999}`, 1, `more than 1000`},
		{`(a{1000}){1000}`, 0, `the pattern is not supported: error parsing regexp: invalid repeat count`},
		{`(?:` + strings.Repeat("a", 30) + `){1000}`, 0, `its repetitions make it too large`},
		{`a(b`, 1, `the ( of the pattern is not closed`},
		{`a)b`, 1, `the ) of the pattern closes nothing`},
		{`a[b`, 1, `the [ of the pattern is not closed`},
		{`[]`, 0, `the [ of the pattern is not closed`},
		{`[z-a]`, 1, `illegal range`},
		{`[a-\d]`, 1, `illegal range`},
		{`a\`, 1, `the pattern ends with a \`},
		{`\x4`, 0, `illegal \x`},
		{`\x{110000}`, 0, `illegal \x`},
		{`\x{}`, 0, `illegal \x`},
		{`\u12`, 0, `illegal \u`},
		{`\ud83d`, 0, `illegal \u`},
		{`\08`, 0, `illegal \0`},
		{`\c`, 0, `illegal \c`},
		{`\c\Qa`, 0, `illegal \c`},
		{`\x\Q41`, 0, `illegal \x`},
		{strings.Repeat("(", 66) + strings.Repeat(")", 66), 65, `groups nest deeper than 64`},
		{strings.Repeat("[", 66) + `a` + strings.Repeat("]", 66), 64, `classes nest deeper than 64`},
	} {
		_, err := parsePattern(c.pattern)
		if c.offset < 0 {
			if err != nil {
				t.Errorf("%s: %v", c.pattern, err)
			}
			continue
		}
		if e, ok := errors.AsType[*query.SyntaxError](err); !ok || e.Offset != len(patternPrefix)+1+c.offset || !strings.Contains(e.Msg, c.msg) {
			t.Errorf("[I] %.40s: %v", c.pattern, err)
		}
	}
}

// Capitals are the complement of small letters [D], over all of Unicode.
func TestShorthandsHaveComplements(t *testing.T) {
	for _, name := range []string{`\h`, `\v`, `\s`, `\d`, `\w`, `\p{Punct}`, `\p{L}`, `\p{IsGreek}`} {
		is, err := parsePattern(name)
		if err != nil {
			t.Fatal(err)
		}
		isNot, err := parsePattern(`[` + name[:1] + strings.ToUpper(name[1:2]) + name[2:] + `]`)
		if err != nil {
			t.Fatal(err)
		}
		for r := range rune(0x3100) {
			s := &instance{attributes: map[string]string{"a": string(r)}}
			if is.Match(s) == isNot.Match(s) {
				t.Errorf("%s: %s is %v, as is its complement", name, fmt.Sprintf("%U", r), is.Match(s))
			}
		}
	}
}
