package main

import (
	"go/ast"
	"strings"
)

// Modules without schemas say their wire names only inside the code that encodes and decodes them. Both halves are read
// because a struct may be used in one direction only; where both speak, the request's name wins.

// structOf returns the struct that a function such as awsAwsquery_serializeDocumentTag works on, or "".
func structOf(fn string) string {
	for _, mark := range []string{"serializeOpDocument", "serializeDocument"} {
		if _, after, ok := strings.Cut(fn, mark); ok {
			return after
		}
	}
	return ""
}

// readSerializer reads statements of the form `if v.F != nil { object.Key("f") ... }`.
func (m *module) readSerializer(d *ast.FuncDecl) {
	name := structOf(d.Name.Name)
	if name == "" {
		return
	}
	for _, stmt := range d.Body.List {
		field, key := fieldOf(stmt, "v"), ""
		ast.Inspect(stmt, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || key != "" || len(call.Args) == 0 {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Key" || sel.Sel.Name == "FlatKey") {
				key = literal(call.Args[0])
			}
			return true
		})
		if field != "" && key != "" {
			m.names[name+"."+field] = key
		}
	}
}

// readDeserializer reads clauses of the form `case strings.EqualFold("f", t.Name.Local): ... sv.F = ...`, and the JSON
// form `case "f":`.
func (m *module) readDeserializer(d *ast.FuncDecl) {
	name := structOf(d.Name.Name)
	if name == "" {
		return
	}
	ast.Inspect(d.Body, func(n ast.Node) bool {
		clause, ok := n.(*ast.CaseClause)
		if !ok || len(clause.List) != 1 {
			return true
		}
		label := clause.List[0]
		if call, ok := label.(*ast.CallExpr); ok && len(call.Args) > 0 {
			label = call.Args[0]
		}
		key := literal(label)
		if key == "" {
			return true
		}
		for _, stmt := range clause.Body {
			if field := fieldOf(stmt, "sv"); field != "" {
				if _, known := m.names[name+"."+field]; !known {
					m.names[name+"."+field] = key
				}
				return false
			}
		}
		return true
	})
}

// fieldOf returns the first field selected on the variable in the statement, or "".
func fieldOf(stmt ast.Stmt, variable string) string {
	field := ""
	ast.Inspect(stmt, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && field == "" {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == variable {
				field = sel.Sel.Name
			}
		}
		return field == ""
	})
	return field
}
