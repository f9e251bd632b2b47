package query

// group reads a group. Nobody asks what it has captured, so each becomes one that does not. It is empty if it was only
// there to change the flags.
func (t *translator) group(m *modes) (empty bool, err error) {
	open := t.pos
	t.pos++
	inner := *m
	if t.next('?') {
		t.pos++
		if empty, err = t.extension(&inner); err != nil {
			return false, err
		}
	}
	if empty {
		*m = inner
		return true, nil
	}
	t.out.WriteString("(?:")
	t.depth++
	if err = t.alternatives(inner); err != nil {
		return false, err
	}
	t.depth--
	if !t.next(')') {
		t.pos = open
		return false, t.fail("the ( of the pattern is not closed")
	}
	t.pos++
	t.out.WriteByte(')')
	return false, nil
}

// extension reads what follows "(?" up to what is in the group, or behind the group if it is empty.
func (t *translator) extension(m *modes) (empty bool, err error) {
	switch {
	case t.next(':'):
		t.pos++
		return false, nil
	case t.next('=') || t.next('!'):
		return false, t.fail("look-ahead is not supported in patterns")
	case t.next('>'):
		return false, t.fail("atomic groups are not supported in patterns")
	case t.next('<') && (t.ahead(1, '=') || t.ahead(1, '!')):
		return false, t.fail("look-behind is not supported in patterns")
	case t.next('<'):
		return false, t.groupName()
	}
	return t.flags(m)
}

// groupName reads "<name>".
func (t *translator) groupName() error {
	t.pos++
	from := t.pos
	name := ""
	for r := t.peek(); isLetter(r) || name != "" && '0' <= r && r <= '9'; r = t.peek() {
		name += string(r)
		t.pos++
	}
	switch {
	case name == "" || !t.next('>'):
		return t.fail("a group of the pattern has a bad name")
	case t.names[name]:
		t.pos = from
		return t.fail("two groups of the pattern have the name %s", name)
	}
	t.names[name] = true
	t.pos++
	return nil
}

// flags reads "i-s:", or "i-s)" of an empty group.
func (t *translator) flags(m *modes) (empty bool, err error) {
	on := true
	for ; t.peek() >= 0; t.pos++ {
		switch r := t.peek(); r {
		case 'i':
			m.fold = on
		case 's':
			m.dotAll = on
		case '-':
			if !on {
				return false, t.fail("the flags of a group of the pattern have a second -")
			}
			on = false
		case ':', ')':
			t.pos++
			return r == ')', nil
		case 'd', 'm', 'u', 'x', 'U':
			return false, t.fail("the flag %c is not supported in patterns", r)
		default:
			return false, t.fail("a group of the pattern has the unknown flag %q", r)
		}
	}
	return false, t.fail("a group of the pattern is not closed")
}
