package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// A module is what gen learned from one SDK module.
type module struct {
	Name, Version string
	Operations    []string
	Required      []entry           // struct -> its required Go fields
	Unions        []entry           // interface -> its member types
	Names         []pair            // "Struct.Field" -> wire name, where it is not the field's name
	Faults        []string          // exceptions that are the server's fault
	QueryErrors   []pair            // exception -> its code in the query protocol, where they differ
	Statuses      []pair            // exception -> HTTP status, where it is not 400 or 500
	Document      bool              // the module has open-content (document) members
	names         map[string]string // Names while they are collected
	codes         map[string]string // exception type -> what its ErrorCode method returns
}

type entry struct {
	Key    string
	Values []string
}

type pair struct{ Key, Value string }

// load reads one SDK module, at the version in go.mod, from the module cache.
func load(service string) (*module, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}\n{{.Version}}", sdkModule+service).Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	dir, version, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	m := &module{Name: service, Version: version, names: map[string]string{}, codes: map[string]string{}}
	ops, err := filepath.Glob(filepath.Join(dir, "api_op_*.go"))
	if err != nil {
		return nil, err
	}
	for _, path := range ops {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "api_op_"), ".go")
		if !strings.HasSuffix(name, "_test") {
			m.Operations = append(m.Operations, name)
		}
	}
	for _, sub := range []string{"", "types", "schemas"} {
		if err := m.readDir(filepath.Join(dir, sub)); err != nil {
			return nil, err
		}
	}
	m.finish(dir)
	return m, nil
}

func (m *module) readDir(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		m.readFile(filepath.Base(path), file)
	}
	return nil
}

func (m *module) readFile(name string, file *ast.File) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					m.readType(s)
				case *ast.ValueSpec:
					m.readSchema(s)
				}
			}
		case *ast.FuncDecl:
			switch {
			case d.Recv != nil:
				m.readMethod(d)
			case name == "serializers.go":
				m.readSerializer(d)
			case name == "deserializers.go":
				m.readDeserializer(d)
			}
		}
	}
}

// readType collects the required members of a struct.
func (m *module) readType(spec *ast.TypeSpec) {
	st, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	var required []string
	for _, f := range st.Fields.List {
		if f.Doc != nil && strings.Contains(f.Doc.Text(), "This member is required.") {
			required = append(required, f.Names[0].Name)
		}
		if sel, ok := f.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Interface" {
			m.Document = true
		}
	}
	if len(required) > 0 {
		m.Required = append(m.Required, entry{spec.Name.Name, required})
	}
}

// readMethod collects the members of unions, `func (*XMemberY) isX()`, and exceptions that are the server's fault.
func (m *module) readMethod(d *ast.FuncDecl) {
	star, ok := d.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return
	}
	recv, ok := star.X.(*ast.Ident)
	if !ok {
		return
	}
	if union, ok := strings.CutPrefix(d.Name.Name, "is"); ok && strings.HasPrefix(recv.Name, union+"Member") {
		i := slices.IndexFunc(m.Unions, func(e entry) bool { return e.Key == union })
		if i < 0 {
			i, m.Unions = len(m.Unions), append(m.Unions, entry{Key: union})
		}
		m.Unions[i].Values = append(m.Unions[i].Values, recv.Name)
	}
	ast.Inspect(d.Body, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.SelectorExpr:
			if d.Name.Name == "ErrorFault" && x.Sel.Name == "FaultServer" {
				m.Faults = append(m.Faults, recv.Name)
			}
		case *ast.ReturnStmt:
			if d.Name.Name == "ErrorCode" && len(x.Results) == 1 && literal(x.Results[0]) != "" {
				m.codes[recv.Name] = literal(x.Results[0])
			}
		}
		return true
	})
}

// readSchema finds `var X = smithy.NewSchema(..., &traits.HTTPError{Code: 404}, &traits.AWSQueryError{ErrorCode: "Y"})`.
func (m *module) readSchema(spec *ast.ValueSpec) {
	for i, value := range spec.Values {
		exception := spec.Names[i].Name
		ast.Inspect(value, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			trait, ok := lit.Type.(*ast.SelectorExpr)
			if !ok || len(lit.Elts) == 0 {
				return true
			}
			first, ok := lit.Elts[0].(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			switch trait.Sel.Name {
			case "AWSQueryError":
				if code := literal(first.Value); code != exception {
					m.QueryErrors = append(m.QueryErrors, pair{exception, code})
				}
			case "HTTPError":
				status, ok := first.Value.(*ast.BasicLit)
				// The models say 403 for AccessDeniedException, but the JSON services answer 400.
				if ok && status.Value != "400" && status.Value != "500" && exception != "AccessDeniedException" {
					m.Statuses = append(m.Statuses, pair{exception, status.Value})
				}
			}
			return true
		})
	}
}

func (m *module) finish(dir string) {
	if _, err := os.Stat(filepath.Join(dir, "document")); err != nil {
		m.Document = false
	}
	for k, v := range m.names {
		if _, field, _ := strings.Cut(k, "."); v != field && !strings.HasSuffix(k, "Exception.Message") {
			m.Names = append(m.Names, pair{k, v})
		}
	}
	sort.Slice(m.Names, func(i, j int) bool { return m.Names[i].Key < m.Names[j].Key })
	sort.Slice(m.Required, func(i, j int) bool { return m.Required[i].Key < m.Required[j].Key })
	sort.Slice(m.Unions, func(i, j int) bool { return m.Unions[i].Key < m.Unions[j].Key })
	sort.Slice(m.Statuses, func(i, j int) bool { return m.Statuses[i].Key < m.Statuses[j].Key })
	sort.Slice(m.QueryErrors, func(i, j int) bool { return m.QueryErrors[i].Key < m.QueryErrors[j].Key })
	for i, exception := range m.Faults { // the type's name is not always the code
		m.Faults[i] = m.codes[exception]
	}
	sort.Strings(m.Faults)
}

// literal returns the value of a string literal, or "".
func literal(e ast.Expr) string {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		s, _ := strconv.Unquote(l.Value)
		return s
	}
	return ""
}
