// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package checks

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the page")

const root = "../.."

var page = filepath.Join(root, "docs", "develop", "checks.md")

// variable that names the check which is taken away.
const variable = "FAIRWAY_WITHOUT"

// marks around a condition: one that refuses, and one that admits.
var marks = [][2]string{{"«", "»"}, {"‹", "›"}}

// weakened is the source with the check behind its switch.
func weakened(source string, c Check) (string, error) {
	for i, m := range marks {
		before, rest, found := strings.Cut(c.Line, m[0])
		if !found {
			continue
		}
		condition, after, found := strings.Cut(rest, m[1])
		if !found {
			break
		}
		with := fmt.Sprintf("((%s) && !fairwayWithout(%q))", condition, c.Name)
		if i == 1 {
			with = fmt.Sprintf("((%s) || fairwayWithout(%q))", condition, c.Name)
		}
		if n := strings.Count(source, before+condition+after); n != 1 {
			return "", fmt.Errorf("check %q stands %d times in %s: name its line anew", c.Name, n, c.File)
		}
		return strings.Replace(source, before+condition+after, before+with+after, 1), nil
	}
	return "", fmt.Errorf("check %q marks no condition", c.Name)
}

// overlay writes the sources with every check behind its switch, and returns the file
// that has the compiler take them.
func overlay(t *testing.T) string {
	t.Helper()
	dir, replaced := t.TempDir(), map[string]string{}
	put := func(path, text string) {
		real, err := filepath.Abs(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replaced[real] = to
	}
	sources := map[string]string{}
	for _, c := range All {
		if _, read := sources[c.File]; !read {
			raw, err := os.ReadFile(filepath.Join(root, c.File))
			if err != nil {
				t.Fatal(err)
			}
			sources[c.File] = string(raw)
		}
		text, err := weakened(sources[c.File], c)
		if err != nil {
			t.Error(err)
			continue
		}
		sources[c.File] = text
	}
	for path, text := range sources {
		put(path, text)
		parsed, err := parser.ParseFile(token.NewFileSet(), path, text, parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		put(filepath.Dir(path)+"/zz_without.go", fmt.Sprintf("package %s\n\nimport \"os\"\n\nfunc fairwayWithout(check string) bool { return os.Getenv(%q) == check }\n", parsed.Name, variable))
	}
	for _, in := range packages() {
		put(in+"/zz_trials_test.go", trials(in, packageOf(t, in)))
	}
	raw, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// packageOf is the name of the package of the tests that are named.
func packageOf(t *testing.T, in string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, in, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range All {
			if c.In == in && strings.Contains(string(raw), "func "+c.Test+"(t *testing.T)") {
				parsed, err := parser.ParseFile(token.NewFileSet(), file, raw, parser.PackageClauseOnly)
				if err != nil {
					t.Fatal(err)
				}
				return parsed.Name.Name
			}
		}
	}
	t.Fatalf("there is no test of a check in %s", in)
	return ""
}

// Every check stands where the list says, and the page tells of it. A test of each
// name is there.
func TestTheListIsTrue(t *testing.T) {
	overlay(t)
	names := map[string]bool{}
	for _, c := range All {
		if names[c.Name] {
			t.Errorf("two checks are called %q", c.Name)
		}
		names[c.Name] = true
		files, err := filepath.Glob(filepath.Join(root, c.In, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(file string) bool {
			raw, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(raw), "func "+c.Test+"(t *testing.T)")
		}) {
			t.Errorf("check %q: there is no %s in %s", c.Name, c.Test, c.In)
		}
	}
	got := rendered()
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil { //nolint:gosec // a page of the documentation
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("the page is not current; write it with: go test ./test/checks -update (-page +list)\n%s", diff)
	}
}

// Without any one of the checks its test fails; with all of them it passes.
func TestEachCheckIsMissed(t *testing.T) {
	only := os.Getenv("FAIRWAY_CHECKS")
	if only == "" {
		t.Skip("it builds a dozen packages anew: make checks")
	}
	replaced, dir := overlay(t), t.TempDir()
	for _, in := range packages() {
		var trials []Check
		for _, c := range All {
			if c.In == in && (only == "all" || only == c.Name) {
				trials = append(trials, c)
			}
		}
		if len(trials) == 0 {
			continue
		}
		t.Run(in, func(t *testing.T) {
			binary := filepath.Join(dir, strings.ReplaceAll(in, "/", "_"))
			if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", replaced, "-o", binary, "./"+root+"/"+in).CombinedOutput(); err != nil {
				t.Fatalf("could not build %s: %v\n%s", in, err, out)
			}
			try(t, binary, in, trials)
		})
	}
}

// try runs the tests of a package with all checks, and then without each. A check
// without which the process breaks down is missed too; what comes after it is tried in
// another process.
func try(t *testing.T, binary, in string, trials []Check) {
	var waiting []string
	for _, c := range trials {
		if whole := "none:" + c.Test; !slices.Contains(waiting, whole) {
			waiting = append(waiting, whole)
		}
	}
	for _, c := range trials {
		waiting = append(waiting, c.Name+":"+c.Test)
	}
	for len(waiting) > 0 {
		command := exec.CommandContext(t.Context(), binary, "-test.run", "^TestFairwayWithout$", "-test.timeout", "3m")
		command.Dir = filepath.Join(root, in)
		command.Env = append(os.Environ(), "FAIRWAY_TRIALS="+strings.Join(waiting, ","))
		raw, _ := command.CombinedOutput()
		said := string(raw)
		before := len(waiting)
		for len(waiting) > 0 {
			name, test, _ := strings.Cut(waiting[0], ":")
			passed, failed := strings.Contains(said, trialMark+waiting[0]+" passes"), strings.Contains(said, trialMark+waiting[0]+" fails")
			if !passed && !failed {
				break
			}
			waiting = waiting[1:]
			switch {
			case name == "none" && failed:
				t.Errorf("with every check in its place %s fails:\n%s", test, said)
			case name != "none" && passed:
				t.Errorf("nobody misses check %q: without it %s still passes", name, test)
			}
		}
		if len(waiting) == before && strings.HasPrefix(waiting[0], "none:") {
			t.Fatalf("could not try %s:\n%s", in, said)
		}
		if len(waiting) > 0 {
			waiting = waiting[1:] // it broke down
		}
	}
}

const trialMark = "fairway trial "

// trials is the file that runs tests of a package without a check. It is compiled into
// nothing else.
func trials(in, name string) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "package %s\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\t\"strings\"\n\t\"testing\"\n)\n\n", name)
	b.WriteString("func TestFairwayWithout(*testing.T) {\n\ttests := map[string]func(*testing.T){\n")
	var known []string
	for _, c := range All {
		if c.In == in && !slices.Contains(known, c.Test) {
			known = append(known, c.Test)
			fmt.Fprintf(b, "\t\t%q: %s,\n", c.Test, c.Test)
		}
	}
	fmt.Fprintf(b, `	}
	for trial := range strings.SplitSeq(os.Getenv("FAIRWAY_TRIALS"), ",") {
		check, test, _ := strings.Cut(trial, ":")
		os.Setenv(%q, check)
		said := "fails"
		if testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: test, F: tests[test]}}) {
			said = "passes"
		}
		fmt.Printf("\n%s%%s %%s\n", trial, said)
	}
}
`, variable, trialMark)
	return b.String()
}

// packages whose tests are named.
func packages() []string {
	var all []string
	for _, c := range All {
		if !slices.Contains(all, c.In) {
			all = append(all, c.In)
		}
	}
	return all
}

// rendered is the page.
func rendered() string {
	b := &strings.Builder{}
	b.WriteString(`# The checks, and the tests that miss them

Written by ` + "`go test ./test/checks -update`" + ` from the list in ` + "`test/checks/checks.go`" + `. ` + "`make checks`" + ` takes
each check away in turn, in packages built anew for that alone, and fails where the named test does not notice. No
binary of Fairway holds such a switch. The [authorization matrix](../reference/authorization-matrix.md) shows besides
that it depends on who asks, on the asker's groups, on the name under which the hub is reached, and on what the hub's
RBAC answers.

| Check | Keeps out | Stands in | Missed by |
|---|---|---|---|
`)
	for _, c := range All {
		fmt.Fprintf(b, "| `%s` | %s | `%s` | `%s` in `%s` |\n", c.Name, c.Keeps, c.File, c.Test, c.In)
	}
	return b.String()
}
