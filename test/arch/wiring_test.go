package arch_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// What all of a process shares, and may change, is wiring that no reader of a constructor sees. Constants of types that
// const does not take (errors, patterns, tables) are no such thing: they have a value from the beginning and keep it.
func TestNoMutablePackageVariables(t *testing.T) {
	var breaches []breach
	packages := map[string][]*source{}
	for _, s := range sources(t) {
		if !s.test && !s.generated && !strings.HasPrefix(s.path, "test/") {
			packages[s.dir()] = append(packages[s.dir()], s)
		}
	}
	for dir, files := range packages {
		variables := map[string]bool{} // name -> has a value from the beginning
		for _, s := range files {
			for _, v := range packageVariables(s.syntax) {
				for _, name := range v.Names {
					variables[name.Name] = len(v.Values) > 0
					if len(v.Values) == 0 && !embeds(v) {
						breaches = append(breaches, breach{where: s.path, what: fmt.Sprintf("line %d: variable %s begins empty, so something must fill it", s.line(name), name.Name)})
					}
				}
			}
		}
		for _, s := range files {
			changes(s.syntax, func(n ast.Node, name string) {
				if variables[name] {
					breaches = append(breaches, breach{where: s.path, what: fmt.Sprintf("line %d changes package variable %s of %s", s.line(n), name, path.Base(dir))})
				}
			})
		}
	}
	check(t, "variable", breaches)
}

// packageVariables are the var declarations of a file, but for those that only assert (var _ I = T{}).
func packageVariables(f *ast.File) (out []*ast.ValueSpec) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			if v := spec.(*ast.ValueSpec); v.Names[0].Name != "_" {
				if v.Doc == nil {
					v.Doc = g.Doc
				}
				out = append(out, v)
			}
		}
	}
	return out
}

// embeds says whether the compiler fills the variable from a file.
func embeds(v *ast.ValueSpec) bool {
	if v.Doc == nil {
		return false
	}
	for _, c := range v.Doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// changes yields what functions assign to, count, or take the address of, by the name at its root. Names that a function
// declares itself are its own.
func changes(f *ast.File, yield func(n ast.Node, name string)) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		own := declared(fn)
		found := func(e ast.Expr) {
			if name := rootOf(e); name != "" && !own[name] {
				yield(e, name)
			}
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, e := range n.Lhs {
					found(e)
				}
			case *ast.IncDecStmt:
				found(n.X)
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					found(n.X)
				}
			case *ast.CallExpr:
				if b, ok := n.Fun.(*ast.Ident); ok && (b.Name == "delete" || b.Name == "clear") {
					found(n.Args[0])
				}
			}
			return true
		})
	}
}

// declared are the names that a function gives to things of its own.
func declared(fn *ast.FuncDecl) map[string]bool {
	out := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				out[name.Name] = true
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				out[name.Name] = true
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, e := range n.Lhs {
					out[rootOf(e)] = true
				}
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				for _, e := range []ast.Expr{n.Key, n.Value} {
					out[rootOf(e)] = true
				}
			}
		}
		return true
	})
	return out
}

// rootOf is the x of x, x[i], x.y, *x and the like; "" for anything else.
func rootOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.IndexExpr:
		return rootOf(e.X)
	case *ast.SelectorExpr:
		return rootOf(e.X)
	case *ast.StarExpr:
		return rootOf(e.X)
	case *ast.ParenExpr:
		return rootOf(e.X)
	}
	return ""
}

// A blank import is wiring too, by a package's init.
func TestNoBlankImports(t *testing.T) {
	var breaches []breach
	for _, s := range sources(t) {
		for _, i := range s.syntax.Imports {
			if i.Name != nil && i.Name.Name == "_" && i.Path.Value != `"embed"` && !s.test {
				breaches = append(breaches, breach{where: s.path, what: fmt.Sprintf("line %d imports %s for its side effects", s.line(i), i.Path.Value)})
			}
		}
	}
	check(t, "blank", breaches)
}

// The rule about variables is the only one that reads statements closely, so it is shown to bite.
func TestChanges(t *testing.T) {
	const code = `package p
func f(mine map[string]int) {
	a = 1; b[0]++; c.x.y = 2; (*d).z = 3; _ = &e; delete(g, "k"); clear(h)
	mine["k"] = 1
	local, err := 1, error(nil)
	local, err = 2, err
	for i, v := range b { i, v = 0, 0 }
	print(untouched, b[1])
}`
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", code, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	changes(f, func(_ ast.Node, name string) {
		if name != "_" {
			got = append(got, name)
		}
	})
	if want := []string{"a", "b", "c", "d", "e", "g", "h"}; !slices.Equal(got, want) {
		t.Errorf("changed are %q, want %q", got, want)
	}
}
