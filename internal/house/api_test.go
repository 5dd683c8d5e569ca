// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// apiField is one field of one of our API types, with what its tags and
// comments say.
type apiField struct {
	where    string
	typ      ast.Expr
	json     string
	inline   bool
	omitted  bool
	comments string
}

func apiFields(t *testing.T) []apiField {
	t.Helper()
	var fields []apiField
	sources(t, func(path string) {
		path = filepath.ToSlash(path)
		if !strings.HasPrefix(path, "api/") || !strings.HasSuffix(path, "_types.go") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.ParseComments)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range structure.Fields.List {
				if f.Tag == nil {
					t.Errorf("%s: %s has a field without a JSON name", path, spec.Name.Name)
					continue
				}
				name, options, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
				field := apiField{
					where: path + ": " + spec.Name.Name, typ: f.Type, json: name,
					inline: strings.Contains(options, "inline"), omitted: strings.Contains(options, "omitempty"),
				}
				if f.Doc != nil {
					for _, line := range f.Doc.List {
						field.comments += strings.TrimPrefix(strings.TrimPrefix(line.Text, "//"), " ") + "\n"
					}
				}
				fields = append(fields, field)
			}
			return true
		})
	})
	if len(fields) < 50 {
		t.Fatalf("found %d fields of API types; the test looks in the wrong place", len(fields))
	}
	return fields
}

// standard fields need no words of ours.
func standard(f apiField) bool {
	switch f.json {
	case "metadata", "items", "spec", "status":
		return true
	}
	return f.inline
}

// The main rules of kube-api-linter, held here because the module itself
// cannot be had.
func TestAPIFieldsReadAlike(t *testing.T) {
	for _, f := range apiFields(t) {
		if standard(f) {
			continue
		}
		where := f.where + "." + f.json
		if !strings.HasPrefix(f.comments, f.json+" ") && !strings.HasPrefix(f.comments, f.json+": ") && !strings.Contains(f.comments, " and "+f.json+" ") {
			t.Errorf("%s: the comment begins with the JSON name and says what happens; it is %q", where, firstLine(f.comments))
		}
		if strings.EqualFold(f.json, "phase") {
			t.Errorf("%s: a phase hides what is going on; use conditions", where)
		}
		if ident, ok := f.typ.(*ast.Ident); ok && ident.Name == "bool" {
			t.Errorf("%s: a bool cannot grow; use an enum of named strings", where)
		}
		if ident, ok := f.typ.(*ast.Ident); ok && (ident.Name == "int" || ident.Name == "uint" || strings.HasPrefix(ident.Name, "float")) {
			t.Errorf("%s: use int32, int64 or a Quantity, which mean the same everywhere", where)
		}
		if f.json != strings.ToLower(f.json[:1])+f.json[1:] || strings.ContainsAny(f.json, "_-") {
			t.Errorf("%s: JSON names are camelCase", where)
		}
	}
}

func TestAPISpecFieldsAreBounded(t *testing.T) {
	for _, f := range apiFields(t) {
		if standard(f) || strings.Contains(f.where, "Status") || strings.Contains(f.where, "status") {
			continue
		}
		where := f.where + "." + f.json
		required, optional := strings.Contains(f.comments, "+required"), strings.Contains(f.comments, "+optional")
		if _, isArray := f.typ.(*ast.ArrayType); isArray && (required || optional) && !strings.Contains(f.comments, "MaxItems") {
			t.Errorf("%s: a list says how long it may be (+kubebuilder:validation:MaxItems)", where)
		}
		if ident, ok := f.typ.(*ast.Ident); ok && ident.Name == "string" && (required || optional) &&
			!strings.Contains(f.comments, "MaxLength") && !strings.Contains(f.comments, "Enum") {
			t.Errorf("%s: a string says how long it may be (+kubebuilder:validation:MaxLength) or which values it takes (Enum)", where)
		}
		if required && optional {
			t.Errorf("%s: is required and optional at once", where)
		}
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
