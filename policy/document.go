package policy

import "strings"

// document is a policy as it was written, in the words of its grammar.
type document struct {
	version    string // "" if there is none
	statements []written
}

// written is a statement as it was written.
type written struct {
	sid        string
	effect     string
	actions    []string
	resources  []string
	principals []entry
	conditions []test
	has        map[string]bool // its elements
	from, to   int64           // its bytes in the document
}

// test is one key of one operator of a condition.
type test struct {
	operator operator
	name     string // of the operator
	key      string
	values   []string
}

// readDocument reads the grammar. All its refusals are errSyntax.
func readDocument(text string) (*document, error) {
	v, err := readJSON(text)
	if err != nil || v.kind != object {
		return nil, errSyntax
	}
	d := &document{}
	for i := range v.members {
		if err := d.member(&v.members[i]); err != nil {
			return nil, err
		}
	}
	if len(d.statements) == 0 {
		return nil, errSyntax
	}
	return d, nil
}

func (d *document) member(m *member) error {
	switch m.name {
	case "Version":
		if m.kind != text || m.text != version2008 && m.text != version2012 {
			return errSyntax
		}
		d.version = m.text
	case "Id":
		if m.kind != text {
			return errSyntax
		}
	case "Statement":
		statements := m.list
		if m.kind == object {
			statements = []value{m.value}
		}
		for i := range statements {
			s, err := readStatement(&statements[i])
			if err != nil {
				return err
			}
			d.statements = append(d.statements, s)
		}
	default:
		return errSyntax
	}
	return nil
}

func readStatement(v *value) (s written, err error) {
	if v.kind != object {
		return s, errSyntax
	}
	s.has, s.from, s.to = map[string]bool{}, v.from, v.to
	for i := range v.members {
		m := &v.members[i]
		s.has[m.name] = true
		if err := s.element(m); err != nil {
			return s, err
		}
	}
	for _, name := range []string{"Action", "Resource", "Principal"} {
		if s.has[name] && s.has["Not"+name] {
			return s, errSyntax
		}
	}
	switch strings.ToLower(s.effect) {
	case "allow", "deny":
		return s, nil
	}
	return s, errSyntax
}

func (w *written) element(m *member) (err error) {
	switch m.name {
	case "Sid", "Effect":
		if m.kind != text {
			return errSyntax
		}
		if m.name == "Sid" {
			w.sid = m.text
		} else {
			w.effect = m.text
		}
	case "Action", "NotAction":
		w.actions, err = m.strings()
	case "Resource", "NotResource":
		w.resources, err = m.strings()
	case "Principal", "NotPrincipal":
		w.principals, err = readPrincipals(&m.value)
	case "Condition":
		w.conditions, err = readConditions(&m.value)
	default:
		err = errSyntax
	}
	return err
}

func readPrincipals(v *value) (out []entry, err error) {
	if v.kind == text && v.text == "*" {
		return []entry{{kind: anybody}}, nil // without a value: in a trust policy it has to stand under "AWS"
	}
	if v.kind != object {
		return nil, errSyntax
	}
	for i := range v.members {
		m := &v.members[i]
		names, err := m.strings()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			e := entry{value: name}
			switch m.name {
			case "AWS":
				e = awsEntry(name)
			case "Service":
				e.kind = byService
			case "Federated":
				e.kind = byProvider
			case "CanonicalUser":
				e.kind = byCanonicalUser
			default:
				return nil, errSyntax
			}
			out = append(out, e)
		}
	}
	return out, nil
}

// readConditions reads { OPERATOR: { KEY: VALUES } }. An unknown operator is an error only if it has keys [O].
func readConditions(v *value) (out []test, err error) {
	if v.kind != object {
		return nil, errSyntax
	}
	for i := range v.members {
		m := &v.members[i]
		if m.kind != object {
			return nil, errSyntax
		}
		op, known := parseOperator(m.name)
		if !known && len(m.members) > 0 {
			return nil, errSyntax
		}
		for k := range m.members {
			values, err := m.members[k].scalars()
			if err != nil {
				return nil, err
			}
			out = append(out, test{op, m.name, m.members[k].name, values})
		}
	}
	return out, nil
}
