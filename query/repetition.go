package query

import "strconv"

// repetition reads what may follow an atom: a reluctant one matches the same texts.
func (t *translator) repetition() error {
	switch {
	case t.next('?') || t.next('*') || t.next('+'):
		t.out.WriteRune(t.in[t.pos].r)
		t.pos++
	case t.next('{'):
		if err := t.counted(); err != nil {
			return err
		}
	default:
		return nil
	}
	switch {
	case t.next('+'):
		return t.fail("possessive repetitions are not supported in patterns")
	case t.next('?'):
		t.pos++
	}
	return nil
}

// counted reads {n}, {n,} or {n,m}.
func (t *translator) counted() error {
	from := t.pos
	most, open := -1, false
	t.pos++
	least := t.number()
	if t.next(',') {
		t.pos++
		most, open = t.number(), true
	}
	switch {
	case least < 0 || !t.next('}'):
		t.pos = from
		return t.fail("a repetition of the pattern is none of {n}, {n,} and {n,m}")
	case most >= 0 && most < least:
		t.pos = from
		return t.fail("a repetition of the pattern ends below its begin")
	case max(least, most) > 1000:
		t.pos = from
		return t.fail("repetitions of more than 1000 are not supported in patterns")
	}
	t.pos++
	t.out.WriteString("{" + strconv.Itoa(least))
	if open {
		t.out.WriteByte(',')
	}
	if most >= 0 {
		t.out.WriteString(strconv.Itoa(most))
	}
	t.out.WriteByte('}')
	return nil
}

// number reads digits, -1 if there are none. A large number stays large.
func (t *translator) number() int {
	n := -1
	for ; '0' <= t.peek() && t.peek() <= '9'; t.pos++ {
		n = min(max(n, 0)*10+int(t.peek()-'0'), 1<<20)
	}
	return n
}
