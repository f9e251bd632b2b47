package query

import (
	"slices"
	"strings"
	"time"
)

// Expr is a parsed expression. It never changes, and any number of goroutines may use it.
type Expr struct {
	root *node
	uses Uses
}

// Subject is an instance as an expression sees it.
type Subject interface {
	// Attribute returns the value of an attribute, "" if it has none, and whether the instance has the attribute.
	Attribute(name string) (value string, ok bool)
	AgentConnected() bool
	// AgentVersion is a semantic version; one that is not is neither more nor less than another, nor equal to it.
	AgentVersion() string
	// EC2InstanceID is "" for an instance that has none.
	EC2InstanceID() string
	RegisteredAt() time.Time
	RunningTasks() int
	// AnyTask reports whether match is true for the named field of one of the instance's tasks that are not STOPPED. The
	// field is TaskGroup or TaskFamily.
	AnyTask(field string, match func(value string) bool) bool
}

// The fields of tasks that an expression can ask for, after "task:".
const (
	TaskGroup  = "group"
	TaskFamily = "definition-family"
)

// Uses says which facts of an instance an expression can depend on.
type Uses struct {
	Attributes     []string // their names, sorted
	AgentConnected bool
	AgentVersion   bool
	EC2InstanceID  bool
	RegisteredAt   bool
	RunningTasks   bool
	Tasks          bool
}

// Match reports whether the instance satisfies the expression.
func (e *Expr) Match(s Subject) bool { return e.root.match(s) }

// Uses returns what the expression depends on; the caller must not change it.
func (e *Expr) Uses() Uses { return e.uses }

// String returns an expression of the same meaning in one spelling: symbols for words, and quotes and parentheses only where
// they are needed. It can be longer than MaxLength if the expression came close to it.
func (e *Expr) String() string {
	var b strings.Builder
	e.root.write(&b, 0)
	return b.String()
}

// node is a condition, or what joins others.
type node struct {
	kind kind
	kids []*node    // one of a not, two or more of an and or an or
	cond *condition // of a leaf
}

// kind orders the nodes by how tightly they bind.
type kind int

const (
	or kind = iota
	and
	not
	leaf
)

func (n *node) match(s Subject) bool {
	switch n.kind {
	case or:
		for _, k := range n.kids {
			if k.match(s) {
				return true
			}
		}
		return false
	case and:
		for _, k := range n.kids {
			if !k.match(s) {
				return false
			}
		}
		return true
	case not:
		return !n.kids[0].match(s)
	case leaf:
	}
	return n.cond.match(s)
}

// write writes the node, in parentheses if it binds less tightly than its surroundings need.
func (n *node) write(b *strings.Builder, least kind) {
	if n.kind < least {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	switch n.kind {
	case or, and:
		for i, k := range n.kids {
			if i > 0 {
				b.WriteString(map[kind]string{or: " || ", and: " && "}[n.kind])
			}
			k.write(b, n.kind+1)
		}
	case not:
		b.WriteByte('!')
		n.kids[0].write(b, not)
	case leaf:
		n.cond.write(b)
	}
}

// joined is the node of the given kind over others, whose own such nodes are dissolved in it: "(a && b) && c" is one and of
// three.
func joined(k kind, kids []*node) *node {
	if len(kids) == 1 {
		return kids[0]
	}
	n := &node{kind: k}
	for _, kid := range kids {
		if kid.kind == k {
			n.kids = append(n.kids, kid.kids...)
		} else {
			n.kids = append(n.kids, kid)
		}
	}
	return n
}

// collect notes what the node depends on.
func (n *node) collect(u *Uses) {
	for _, k := range n.kids {
		k.collect(u)
	}
	if n.kind != leaf {
		return
	}
	switch n.cond.subject {
	case attribute:
		if at, found := slices.BinarySearch(u.Attributes, n.cond.name); !found {
			u.Attributes = slices.Insert(u.Attributes, at, n.cond.name)
		}
	case task:
		u.Tasks = true
	case agentConnected:
		u.AgentConnected = true
	case agentVersion:
		u.AgentVersion = true
	case ec2InstanceID:
		u.EC2InstanceID = true
	case registeredAt:
		u.RegisteredAt = true
	case runningTasks:
		u.RunningTasks = true
	}
}
