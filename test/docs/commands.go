// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package docs

import (
	"fmt"
	"regexp"
	"strings"
)

// Reference is what docs/reference/cli.md says of every command: its flags, by
// the command's words ("release start"). A flag's value says whether it is there.
// The page is generated from the commands, and a test of theirs keeps it current.
type Reference map[string]map[string]bool

var (
	flagName     = regexp.MustCompile("`(--?[A-Za-z][A-Za-z-]*)`")
	commandTitle = regexp.MustCompile(`^## fairway (.+)$`)
)

// ReadReference reads the generated page.
func ReadReference(page string) Reference {
	r := Reference{}
	usual := map[string]bool{}
	var flags map[string]bool
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		if m := commandTitle.FindStringSubmatch(line); m != nil {
			flags = map[string]bool{"--help": true, "-h": true}
			r[m[1]] = flags
			continue
		}
		switch {
		case line == "## Usual flags":
			flags = usual
		case strings.HasPrefix(line, "And the [usual flags]"):
			for flag := range usual {
				flags[flag] = true
			}
		case strings.HasPrefix(line, "| `-") && flags != nil:
			first, _, _ := strings.Cut(line[2:], " |")
			for _, m := range flagName.FindAllStringSubmatch(first, -1) {
				flags[m[1]] = true
			}
		}
	}
	return r
}

// Check says what is wrong with a command line, given without the program's name.
func (r Reference) Check(words []string) error {
	words = beforeDashes(words)
	if len(words) > 0 && words[0] == "completion" {
		return nil
	}
	command := ""
	for n := min(3, len(words)); n > 0; n-- {
		if candidate := strings.Join(words[:n], " "); r[candidate] != nil {
			command = candidate
			break
		}
	}
	if command == "" {
		return fmt.Errorf("there is no command %q", strings.Join(words[:min(3, len(words))], " "))
	}
	for _, word := range words {
		if len(word) < 2 || word[0] != '-' {
			continue
		}
		name, _, _ := strings.Cut(word, "=")
		if !r[command][name] {
			return fmt.Errorf("command %q has no flag %s", command, name)
		}
	}
	return nil
}

// beforeDashes leaves out what another program gets after "--".
func beforeDashes(words []string) []string {
	for i, word := range words {
		if word == "--" {
			return words[:i]
		}
	}
	return words
}
