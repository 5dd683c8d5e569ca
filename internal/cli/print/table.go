// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package print

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// None stands for what is not set.
const None = "<none>"

// Table is rows under headings.
type Table struct {
	Columns []string
	Rows    [][]string
}

// gap is between columns.
const gap = 3

// width counts a Chinese character as two columns, whatever the locale.
var width = &runewidth.Condition{}

// Width is how many columns of a terminal the text takes.
func Width(text string) int { return width.StringWidth(text) }

// Write writes the table; headings false leaves them out. Every line begins with indent.
func (t Table) Write(w io.Writer, indent string, headings bool) {
	var lines [][]string
	if headings {
		heads := make([]string, 0, len(t.Columns))
		for _, c := range t.Columns {
			heads = append(heads, strings.ToUpper(c))
		}
		lines = append(lines, heads)
	}
	for _, row := range t.Rows {
		cells := make([]string, 0, len(row))
		for _, cell := range row {
			if cell = Clean(cell); cell == "" {
				cell = None
			}
			cells = append(cells, cell)
		}
		lines = append(lines, cells)
	}
	widths := make([]int, len(t.Columns))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], Width(cell))
		}
	}
	for _, line := range lines {
		out := indent
		for i, cell := range line {
			if i == len(line)-1 {
				out += cell
				break
			}
			out += cell + strings.Repeat(" ", widths[i]-Width(cell)+gap)
		}
		fmt.Fprintln(w, strings.TrimRight(out, " "))
	}
}

// Clean makes text one line without control characters, so that what a server or
// a container says cannot move the cursor of a terminal.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, text)
}
