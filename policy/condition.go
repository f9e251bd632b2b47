package policy

import "strings"

// condition is one key of one operator of a statement's Condition. All of a statement have to hold [D].
type condition struct {
	operator
	key    string // lower case
	name   string // operator and key as written, for explanations
	values []operand
}

func newCondition(t test, variables bool) condition {
	c := condition{operator: t.operator, key: strings.ToLower(t.key), name: t.name + " " + t.key}
	for _, v := range t.values {
		c.values = append(c.values, newOperand(t.operator.comparison, v, variables))
	}
	return c
}

// holds says whether the request meets the condition of a statement that allows, or of one that denies.
//
// Several values of the policy are an OR, of a negated operator a NOR [D]. A key that the request does not have meets negated
// operators and IfExists, and no other [D]; ForAllValues holds for no values at all, ForAnyValue does not [D]. Without one of
// these two, all values of a key have to meet a condition that allows, and any one does for one that denies [I].
func (c *condition) holds(ctx *Context, allow bool) bool {
	values := ctx.get(c.key)
	if c.comparison == isNull {
		return c.wantsNull(len(values) == 0)
	}
	if c.set != single {
		values = withoutEmpty(values)
	}
	if len(values) == 0 {
		return c.ifExists || c.set == forAll || c.set == single && c.negated
	}
	every := c.set == forAll || c.set == single && allow
	for _, v := range values {
		if c.meets(v, ctx, allow) != every {
			return !every
		}
	}
	return every
}

// meets says whether one value of the request is equal to one of the policy's, or of a negated operator to none. A value with a
// variable that has none itself is equal to nothing; but what may be equal to it is not allowed for being different [I].
func (c *condition) meets(v string, ctx *Context, allow bool) bool {
	unknown := false
	for i := range c.values {
		equal, resolved := c.values[i].equals(c.comparison, v, ctx)
		if equal {
			return !c.negated
		}
		unknown = unknown || !resolved
	}
	return c.negated && !(unknown && allow)
}

func (c *condition) wantsNull(missing bool) bool {
	want := "false"
	if missing {
		want = "true"
	}
	for i := range c.values {
		if c.values[i].text == want {
			return true
		}
	}
	return false
}

// withoutEmpty leaves out empty texts, which are no members of a set [D].
func withoutEmpty(values []string) []string {
	for i, v := range values {
		if v != "" {
			continue
		}
		kept := append([]string(nil), values[:i]...)
		for _, v := range values[i:] {
			if v != "" {
				kept = append(kept, v)
			}
		}
		return kept
	}
	return values
}
