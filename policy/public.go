package policy

import "strings"

// Public says whether a policy of a resource allows something to anybody: no condition of the statement says from which account,
// organization, network or thing he has to be [D]; which conditions count is AWS's list, as far as it is about requests that come here.
func (p *Policy) Public() bool {
	for i := range p.statements {
		s := &p.statements[i]
		if s.allow && s.principals.anybody() && !s.narrow() {
			return true
		}
	}
	return false
}

// anybody says whether no principal is left out.
func (ps *principals) anybody() bool {
	for _, e := range ps.entries {
		if e.kind == anybody {
			return !ps.not
		}
	}
	return false
}

// narrow says whether a condition of the statement names the values that one of those keys has to have.
func (s *statement) narrow() bool {
	for i := range s.conditions {
		c := &s.conditions[i]
		if c.negated || c.ifExists || c.set == forAll || c.comparison == isNull {
			continue
		}
		switch c.key {
		case "aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths", "aws:sourceaccount", "aws:sourcearn",
			"aws:sourceip", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:userid", "kms:calleraccount", "kms:viaservice":
			if c.fixed() {
				return true
			}
		}
	}
	return false
}

// fixed says whether all of the condition's values are fixed: without wildcards and variables, but for those of all sessions of a role, or
// networks smaller than all addresses [D].
func (c *condition) fixed() bool {
	for i := range c.values {
		v := &c.values[i]
		sessions := c.key == "aws:userid" && v.pattern.shape == prefix && len(v.text) > 1 && strings.HasSuffix(v.text, ":")
		switch network := v.prefix; {
		case v.invalid, network.IsValid() && network.Bits() == 0:
			return false
		case !network.IsValid() && !sessions && (v.pieces != nil || v.pattern.shape != exact):
			return false
		}
	}
	return true
}
