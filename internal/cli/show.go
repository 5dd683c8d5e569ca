// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/util/jsonpath"
	"sigs.k8s.io/yaml"
)

// Output is how objects are shown.
type Output string

// The outputs. The empty one is a table.
const (
	Table Output = ""
	Wide  Output = "wide"
	JSON  Output = "json"
	YAML  Output = "yaml"
	Name  Output = "name"
)

// ParseOutput reads the value of -o.
func ParseOutput(text string) (Output, error) {
	switch o := Output(text); o {
	case Table, Wide, JSON, YAML, Name:
		return o, nil
	}
	return "", Usage("could not show as %q: -o takes wide, json, yaml or name", text)
}

// View is what is shown, and how.
type View struct {
	Kind   Kind
	Output Output
	// Namespaces shows the namespace of each object.
	Namespaces bool
	// NoHeadings leaves the headings of tables out.
	NoHeadings bool
	// Now is the time from which ages are counted.
	Now time.Time
}

// ShowOne writes one object.
func (v View) ShowOne(w io.Writer, o Object) error {
	switch v.Output {
	case JSON:
		return writeJSON(w, o)
	case YAML:
		return writeYAML(w, o)
	}
	return v.ShowList(w, []Object{o})
}

// ShowList writes objects. As JSON and YAML they are one list with items.
func (v View) ShowList(w io.Writer, items []Object) error {
	switch v.Output {
	case JSON:
		return writeJSON(w, map[string]any{"items": items})
	case YAML:
		return writeYAML(w, map[string]any{"items": items})
	case Name:
		for _, o := range items {
			if _, err := fmt.Fprintln(w, v.Kind.FullName(NameOf(o))); err != nil {
				return err
			}
		}
		return nil
	}
	rows, err := v.rows(items)
	if err != nil {
		return err
	}
	return WriteTable(w, rows)
}

// rows makes the cells of a table, headings first.
func (v View) rows(items []Object) ([][]string, error) {
	var columns []Column
	for _, c := range v.Kind.Columns {
		if c.Priority == 0 || v.Output == Wide {
			columns = append(columns, c)
		}
	}
	var heading []string
	if v.Namespaces && v.Kind.Namespaced {
		heading = append(heading, "NAMESPACE")
	}
	if !v.Kind.instance() {
		heading = append(heading, "NAME")
	}
	var cells []*jsonpath.JSONPath
	for _, c := range columns {
		heading = append(heading, strings.ToUpper(c.Name))
		cell := jsonpath.New(c.Name).AllowMissingKeys(true)
		if err := cell.Parse("{" + c.JSONPath + "}"); err != nil {
			return nil, &Failure{Exit: ExitError, Cause: fmt.Sprintf("could not read column %q of %s: %v", c.Name, v.Kind.Plural, err)}
		}
		cells = append(cells, cell)
	}
	var rows [][]string
	if !v.NoHeadings {
		rows = append(rows, heading)
	}
	for _, o := range items {
		var row []string
		if v.Namespaces && v.Kind.Namespaced {
			row = append(row, NamespaceOf(o))
		}
		if !v.Kind.instance() {
			row = append(row, NameOf(o))
		}
		for i, c := range columns {
			row = append(row, v.cell(c, found(cells[i], o)))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (v View) cell(c Column, value string) string {
	if c.Type == "date" {
		return Age(value, v.Now)
	}
	return Plain(value)
}

// found is what a path finds in an object, as text.
func found(path *jsonpath.JSONPath, o Object) string {
	results, err := path.FindResults(o)
	if err != nil {
		return ""
	}
	var parts []string
	for _, group := range results {
		for _, value := range group {
			if value.IsValid() && value.CanInterface() {
				if text := textOf(value.Interface()); text != "" {
					parts = append(parts, text)
				}
			}
		}
	}
	return strings.Join(parts, ",")
}

// textOf is a value as a cell shows it; nothing is "".
func textOf(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []any:
		parts := make([]string, 0, len(v))
		for _, entry := range v {
			parts = append(parts, textOf(entry))
		}
		return strings.Join(parts, ",")
	case map[string]any:
		raw, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(raw)
	}
	return fmt.Sprint(value)
}

// Age is the time since a moment, in few characters.
func Age(moment string, now time.Time) string {
	at, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		return ""
	}
	return duration.HumanDuration(max(now.Sub(at), 0))
}

// Plain keeps what a cell shows to one line without control characters, with
// which a hostile name could rewrite the terminal.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < 0x20, r == 0x7f, r >= 0x80 && r < 0xa0, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			return '�'
		}
		return r
	}, text)
}

// NameOf is the object's name, or the seat of an instance.
func NameOf(o Object) string {
	if meta, ok := o["metadata"].(map[string]any); ok {
		return str(meta["name"])
	}
	return str(o["seat"])
}

// NamespaceOf is the object's namespace.
func NamespaceOf(o Object) string {
	if meta, ok := o["metadata"].(map[string]any); ok {
		return str(meta["namespace"])
	}
	return str(o["namespace"])
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

// width counts a Chinese character as two columns, whatever the locale says.
var width = &runewidth.Condition{}

// none stands for what is not set.
const none = "<none>"

// WriteTable aligns cells by the width that a terminal gives them: Chinese
// characters take two columns. An empty cell says that nothing is set.
func WriteTable(w io.Writer, rows [][]string) error { return writeRows(w, "", rows) }

func writeRows(w io.Writer, indent string, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width.StringWidth(orNone(cell)))
		}
	}
	for _, row := range rows {
		line := &strings.Builder{}
		line.WriteString(indent)
		for i, cell := range row {
			cell = orNone(cell)
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-width.StringWidth(cell)+3))
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

func orNone(cell string) string {
	if strings.TrimSpace(cell) == "" {
		return none
	}
	return cell
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func writeYAML(w io.Writer, value any) error {
	raw, err := yaml.Marshal(value)
	if err != nil {
		return fmt.Errorf("could not write YAML: %w", err)
	}
	_, err = w.Write(raw)
	return err
}
