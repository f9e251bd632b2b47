package arch_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Listeners are opened where processes are assembled, and by the data planes.
func TestListenersAreOpenedByAssembly(t *testing.T) {
	allowed := []string{"server", "agent/metadata", "proxy", "dns"}
	var breaches []breach
	for _, s := range sources(t) {
		if s.test || strings.HasPrefix(s.path, "test/") || slices.Contains(allowed, s.dir()) {
			continue
		}
		s.calls(func(c *ast.CallExpr, pkg, name string) {
			if pkg == "net" && strings.HasPrefix(name, "Listen") {
				breaches = append(breaches, breach{where: s.path, what: fmt.Sprintf("line %d calls net.%s", s.line(c), name)})
			}
		})
	}
	check(t, "listen", breaches)
}

// A package says what it is for and what it must not know, once.
func TestEveryPackageHasOneComment(t *testing.T) {
	const where = "which says what the package is for"
	comments := map[string][]string{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		if _, ok := comments[s.dir()]; !ok {
			comments[s.dir()] = nil
		}
		if s.syntax.Doc != nil {
			comments[s.dir()] = append(comments[s.dir()], s.syntax.Doc.Text())
		}
	}
	var breaches []breach
	for _, dir := range slices.Sorted(maps.Keys(comments)) {
		switch c := comments[dir]; {
		case len(c) != 1:
			breaches = append(breaches, breach{where: dir, what: fmt.Sprintf("%d package comments; it needs one, %s", len(c), where)})
		case sentences(c[0]) < 2:
			breaches = append(breaches, breach{where: dir, what: "the package comment is too short: two sentences at least, " + where})
		}
	}
	check(t, "comment", breaches)
}

func sentences(text string) int {
	return len(regexp.MustCompile(`[.!?](\s|$)`).FindAllString(text, -1))
}

// Names that fit everything attract everything.
func TestPackageNamesMeanSomething(t *testing.T) {
	empty := []string{"util", "utils", "common", "helper", "helpers", "base", "types", "manager", "misc", "shared", "lib", "internal", "pkg"}
	for _, s := range sources(t) {
		for part := range strings.SplitSeq(s.dir(), "/") {
			if slices.Contains(empty, part) {
				t.Errorf("%s: %q says nothing", s.path, part)
			}
		}
	}
}

// Tests that wait for real time are slow or wrong; in a bubble of testing/synctest waiting is free.
func TestTestsDoNotSleep(t *testing.T) {
	var breaches []breach
	for _, s := range sources(t) {
		if slices.Contains(s.imports(), "testing/synctest") || !s.test && !slices.Contains(s.imports(), "testing") {
			continue
		}
		s.calls(func(c *ast.CallExpr, pkg, name string) {
			if pkg == "time" && name == "Sleep" {
				breaches = append(breaches, breach{where: s.path, what: fmt.Sprintf("line %d sleeps", s.line(c))})
			}
		})
	}
	check(t, "sleep", breaches)
}

// What happens before main is wiring that nobody can read.
func TestNoInitFunctions(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" && !s.generated {
				t.Errorf("%s:%d has an init function", s.path, s.line(f))
			}
		}
	}
}

// A context is an argument: it ends with the call.
func TestNoContextInStructs(t *testing.T) {
	var breaches []breach
	for _, s := range sources(t) {
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if st, ok := n.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					if isContext(f.Type) {
						breaches = append(breaches, breach{where: s.path, what: fmt.Sprintf("line %d keeps a context in a struct", s.line(f))})
					}
				}
			}
			return true
		})
	}
	check(t, "context", breaches)
}

func isContext(e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == "context" && sel.Sel.Name == "Context"
}

const (
	maxFile     = 500
	maxFunction = 100
)

// Split by noun before it hurts.
func TestSizes(t *testing.T) {
	var files, functions []breach
	for _, s := range sources(t) {
		if s.generated {
			continue
		}
		if s.lines > maxFile {
			files = append(files, breach{s.path, s.lines, fmt.Sprintf("%d lines, more than %d", s.lines, maxFile)})
		}
		for _, d := range s.syntax.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.positions.Position(f.End()).Line - s.line(f) + 1; n > maxFunction {
				functions = append(functions, breach{s.path + ":" + f.Name.Name, n, fmt.Sprintf("%d lines, more than %d", n, maxFunction)})
			}
		}
	}
	check(t, "file", files)
	check(t, "function", functions)
}

// gofmt has the last word on form.
func TestFormatted(t *testing.T) {
	for _, s := range sources(t) {
		if got, err := format.Source(s.text); err != nil || !bytes.Equal(got, s.text) {
			t.Errorf("%s is not formatted by gofmt (%v)", s.path, err)
		}
	}
}
