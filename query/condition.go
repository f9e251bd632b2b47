package query

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// condition is a subject, an operator and its arguments. "==" and "!=" are one operator, and so are "in" and "!in", "=~" and
// "!~", "exists" and "!exists": the second of each is the first one denied, whence an attribute that is missing satisfies it [I].
type condition struct {
	subject subject
	name    string // of the attribute, or of the task's field
	op      operator
	denied  bool
	args    []string

	test   func(string) bool // of a subject that is a text
	count  int               // runningTasks
	moment time.Time         // registeredAt
	grain  time.Duration     // of moment: an instance's time is compared without what is finer
}

type subject int

const (
	attribute subject = iota
	task
	agentConnected
	agentVersion
	ec2InstanceID
	registeredAt
	runningTasks
)

// subjects are the spellings; those that end with a colon go on with a name.
func (s subject) String() string {
	return [...]string{"attribute:", "task:", "agentConnected", "agentVersion", "ec2InstanceId", "registeredAt", "runningTasksCount"}[s]
}

type operator int

const (
	exists operator = iota
	equals
	in
	matches
	less
	lessEqual
	greater
	greaterEqual
)

// serves reports whether the operator is for the subject: AWS lists the operators of each [D], but for attributes, which have
// all, and for tasks, of which none comes before another [I].
func (o operator) serves(s subject) bool {
	switch s {
	case attribute:
		return true
	case task:
		return o <= matches
	case agentConnected, ec2InstanceID:
		return o == equals || o == in || o == matches
	case agentVersion, registeredAt, runningTasks:
	}
	return o == equals || o >= less
}

// holds reports whether the operator, one of those that compare, is satisfied by the order of a value and its argument.
func (o operator) holds(order int) bool {
	switch o {
	case equals:
		return order == 0
	case less:
		return order < 0
	case lessEqual:
		return order <= 0
	case greater:
		return order > 0
	case greaterEqual:
		return order >= 0
	case exists, in, matches:
	}
	panic("query: not an operator that compares")
}

func (c *condition) match(s Subject) bool { return c.holds(s) != c.denied }

func (c *condition) holds(s Subject) bool {
	switch c.subject {
	case attribute:
		v, ok := s.Attribute(c.name)
		return ok && c.test(v)
	case task:
		return s.AnyTask(c.name, c.test)
	case agentConnected:
		return c.test(strconv.FormatBool(s.AgentConnected()))
	case agentVersion:
		return c.test(s.AgentVersion())
	case ec2InstanceID:
		id := s.EC2InstanceID()
		return id != "" && c.test(id)
	case registeredAt:
		return c.op.holds(s.RegisteredAt().Truncate(c.grain).Compare(c.moment))
	case runningTasks:
		return c.op.holds(cmp.Compare(s.RunningTasks(), c.count))
	}
	panic("query: unknown subject")
}

// compile makes the condition ready to match. The error, a *SyntaxError, is about the argument of the given index, and its
// offset within that.
func (c *condition) compile() (at int, err error) {
	switch {
	case c.op == exists:
		c.test = func(string) bool { return true }
		return 0, nil
	case c.op == matches:
		re, err := compilePattern(c.args[0])
		if err != nil {
			return 0, err
		}
		c.test = re.MatchString
		return 0, nil
	}
	for i := range c.args {
		if what := c.check(i); what != "" {
			return i, &SyntaxError{Msg: "expected " + what + ", found " + strconv.Quote(c.args[i])}
		}
	}
	switch args := c.args; {
	case c.subject == registeredAt || c.subject == runningTasks:
	case c.subject == agentVersion:
		c.test = compareVersion(c.op, args[0])
	case c.op == in:
		c.test = func(v string) bool { return slices.Contains(args, v) }
	case c.op == equals:
		c.test = func(v string) bool { return v == args[0] }
	default:
		c.test = compareText(c.op, args[0])
	}
	return 0, nil
}

// check reads an argument and says what it should be, "" if it is that.
func (c *condition) check(i int) (want string) {
	arg, ok := c.args[i], true
	switch c.subject {
	case agentConnected:
		c.args[i] = strings.ToLower(arg)
		ok, want = c.args[i] == "true" || c.args[i] == "false", "true or false"
	case agentVersion:
		_, ok = parseVersion(arg)
		want = "a version like 1.14.5"
	case registeredAt:
		c.moment, c.grain, ok = parseMoment(arg)
		want = "a time like 2018-06-18T22:28:28+00:00 or 2018-06-18"
	case runningTasks:
		var err error
		c.count, err = strconv.Atoi(arg)
		ok, want = err == nil, "a whole number"
	case attribute, task, ec2InstanceID:
	}
	if ok {
		return ""
	}
	return want
}

// write writes the condition as String shows it.
func (c *condition) write(b *strings.Builder) {
	b.WriteString(c.subject.String())
	b.WriteString(c.name)
	for _, s := range spellings {
		if s.op == c.op && s.denied == c.denied {
			b.WriteByte(' ')
			b.WriteString(s.text)
			break
		}
	}
	switch c.op {
	case exists:
	case in:
		b.WriteString(" [")
		for i, a := range c.args {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quoted(a))
		}
		b.WriteByte(']')
	default:
		b.WriteByte(' ')
		b.WriteString(quoted(c.args[0]))
	}
}

// quoted puts an argument in quotes if it needs them. No argument has quotes of both kinds in it: the grammar has no way to
// write that.
func quoted(arg string) string {
	plain := arg != ""
	for i := range len(arg) {
		plain = plain && isBare(arg[i])
	}
	switch {
	case plain:
		return arg
	case strings.Contains(arg, "'"):
		return `"` + arg + `"`
	}
	return "'" + arg + "'"
}
