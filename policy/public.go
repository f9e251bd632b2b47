package policy

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

// narrow says whether a condition of the statement names the values that one of those keys has to have, without wildcards.
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

// fixed says whether none of the condition's values is open to all.
func (c *condition) fixed() bool {
	for i := range c.values {
		v := &c.values[i]
		if v.invalid || v.prefix.IsValid() && v.prefix.Bits() == 0 || !v.prefix.IsValid() && v.any() {
			return false
		}
	}
	return true
}
