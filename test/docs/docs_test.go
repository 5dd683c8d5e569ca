// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	root    = "../.."
	chinese = "docs/zh-CN"
)

// pages calls visit with the path, relative to the checkout, and the text of each
// page of Markdown: those of docs, and those at the root.
func pages(t *testing.T, visit func(path, text string)) {
	t.Helper()
	read := func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		visit(filepath.ToSlash(rel), string(text))
	}
	for _, name := range []string{"README.md", "SCOPE.md"} {
		read(filepath.Join(root, name))
	}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			read(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	pages(t, func(path, text string) {
		for _, m := range link.FindAllStringSubmatch(outsideBlocks(text), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			to := path
			if target != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(path), target))
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s: the link %q leads nowhere: correct it, or write the page", path, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(page(t, to)), anchor) {
				t.Errorf("%s: the link %q names a heading that %s does not have", path, m[1], to)
			}
		}
	})
}

// outsideBlocks blanks the fenced blocks of a page.
func outsideBlocks(text string) string {
	var out []string
	inside := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			inside = !inside
			continue
		}
		if !inside {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

var unspoken = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchors are the names that a page's headings have as targets of links.
func anchors(text string) []string {
	var out []string
	for line := range strings.Lines(outsideBlocks(text)) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			name := unspoken.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			out = append(out, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return out
}

// generated pages are written by programs, in English.
var generated = []string{"docs/reference/cli.md", "docs/reference/authorization-matrix.md"}

func TestEveryPageHasItsTwin(t *testing.T) {
	handWritten := func(path string) bool {
		for _, folder := range []string{"tutorial", "howto", "reference"} {
			if filepath.Dir(path) == "docs/"+folder {
				return !slices.Contains(generated, path)
			}
		}
		return false
	}
	blocks := map[string][]string{}
	pages(t, func(path, text string) {
		found, err := Blocks(text)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, b := range found {
			if b.Language == "sh" {
				blocks[path] = append(blocks[path], b.Text)
			}
		}
		if handWritten(path) {
			twin := chinese + strings.TrimPrefix(path, "docs")
			if _, err := os.Stat(filepath.Join(root, twin)); err != nil {
				t.Errorf("%s has no Chinese twin: write %s", path, twin)
			}
		}
		if strings.HasPrefix(path, chinese) {
			if _, err := os.Stat(filepath.Join(root, "docs"+strings.TrimPrefix(path, chinese))); err != nil {
				t.Errorf("%s has no English twin", path)
			}
		}
	})
	for path, ours := range blocks {
		twin := chinese + strings.TrimPrefix(path, "docs")
		theirs, ok := blocks[twin]
		if !ok || !handWritten(path) {
			continue
		}
		if diff := cmp.Diff(Commands(strings.Join(ours, "\n"), "fairway"), Commands(strings.Join(theirs, "\n"), "fairway")); diff != "" {
			t.Errorf("%s and its twin give other commands (-English +Chinese):\n%s", path, diff)
		}
	}
}

func TestCommandsExist(t *testing.T) {
	reference := ReadReference(page(t, "docs/reference/cli.md"))
	if len(reference) < 20 || !reference["release start"]["--kind"] || !reference["get"]["--config"] || reference["sandbox up"]["--kind"] {
		t.Fatalf("could not read the reference of commands: %v", reference)
	}
	count := 0
	pages(t, func(path, text string) {
		blocks, err := Blocks(text)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, b := range blocks {
			shell := strings.ReplaceAll(b.Text, "bin/fairway", "fairway")
			if b.Language != "sh" && !strings.HasPrefix(shell, "fairway ") {
				continue
			}
			for _, words := range Commands(shell, "fairway") {
				count++
				if err := reference.Check(words); err != nil {
					t.Errorf("%s, line %d: fairway %s: %v", path, b.Line, strings.Join(words, " "), err)
				}
			}
		}
		for _, m := range inline.FindAllStringSubmatch(outsideBlocks(text), -1) {
			words := shellWords(strings.ReplaceAll(strings.NewReplacer("…", "x", "[", "", "]", "").Replace(m[1]), "\\|", "|"))
			if len(words) < 2 || path == "docs/reference/cli.md" {
				continue
			}
			if err := reference.Check(words); err != nil && !strings.Contains(err.Error(), "COMMAND") {
				t.Errorf("%s: `fairway %s`: %v", path, m[1], err)
			}
			count++
		}
	})
	if count < 100 {
		t.Errorf("only %d commands were found: the test does not look where they are", count)
	}
}

var inline = regexp.MustCompile("`(?:bin/)?fairway ([^`]+)`")

// Lists of the reference are complete: what the code can say is explained.
func TestReferenceIsComplete(t *testing.T) {
	cases := map[string]struct {
		reason string
		folder []string
		find   *regexp.Regexp
		page   string
	}{
		"Conditions": {
			"every reason and type that a condition can have is on the page", []string{"api", "internal/fleet", "internal/tenancy/report.go", "internal/delivery", "internal/platform/members"},
			regexp.MustCompile(`(?m)^\s*(?:const )?(?:Reason|Rule|Condition)[A-Z]\w*\s+=\s+"(\w+)"`), "conditions.md",
		},
		"Checks":    {"every go-live check is on the page", []string{"internal/app/check.go"}, regexp.MustCompile(`(?m)^\t\{"(\w+)", (?:byClass|always)`), "go-live-checks.md"},
		"Hardening": {"every hardening rule is on the page", []string{"internal/app/hardening.go"}, regexp.MustCompile(`Rule = "(\w+)"`), "hardening.md"},
		"States":    {"every state of an instance is on the page", []string{"internal/delivery/state.go"}, regexp.MustCompile(`State\w+ = "(\w+)"`), "instances.md"},
		"Metrics":   {"every metric of ours is on the page", []string{"internal"}, regexp.MustCompile(`Name: +"(fairway_\w+)"`), "metrics.md"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			names := found(t, tc.folder, tc.find)
			if len(names) == 0 {
				t.Fatal("nothing was found in the code: the test does not look where it is")
			}
			for _, language := range []string{"docs/reference/", chinese + "/reference/"} {
				text := page(t, language+tc.page)
				for _, n := range names {
					if !strings.Contains(text, "`"+n+"`") {
						t.Errorf("%s: %s%s lacks `%s`", tc.reason, language, tc.page, n)
					}
				}
			}
		})
	}
}

// found lists the first groups of the expression in Go files, tests left out.
func found(t *testing.T, folders []string, expression *regexp.Regexp) []string {
	t.Helper()
	var names []string
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range expression.FindAllStringSubmatch(string(text), -1) {
				names = append(names, m[1])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
