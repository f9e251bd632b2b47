package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/roadstead/roadstead"
)

// source is one Go file of the repository.
type source struct {
	path      string // "model/task.go"
	text      []byte
	lines     int
	syntax    *ast.File
	positions *token.FileSet
	generated bool
	test      bool
}

func (s *source) dir() string { return path.Dir(s.path) }

// imports are the paths that the file imports.
func (s *source) imports() []string {
	var out []string
	for _, i := range s.syntax.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			panic(err) // the parser has read it
		}
		out = append(out, p)
	}
	return out
}

func (s *source) line(n ast.Node) int { return s.positions.Position(n.Pos()).Line }

// calls yields the calls of the form PACKAGE.NAME.
func (s *source) calls(yield func(call *ast.CallExpr, pkg, name string)) {
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			if sel, ok := c.Fun.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok {
					yield(c, x.Name, sel.Sel.Name)
				}
			}
		}
		return true
	})
}

// sources are all Go files, read once.
func sources(t *testing.T) []*source {
	t.Helper()
	all, err := readOnce()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var readOnce = sync.OnceValues(readSources) //nolint:gochecknoglobals // every rule reads the same files

func readSources() (all []*source, err error) {
	positions := token.NewFileSet()
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "testdata"}, d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go"):
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(positions, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, &source{
			path: filepath.ToSlash(strings.TrimPrefix(p, root+"/")), text: text, lines: strings.Count(string(text), "\n"),
			syntax: syntax, positions: positions, generated: ast.IsGenerated(syntax), test: strings.HasSuffix(p, "_test.go"),
		})
		return nil
	})
	return all, err
}
