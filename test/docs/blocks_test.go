// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package docs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBlocks(t *testing.T) {
	cases := map[string]struct {
		reason string
		page   string
		want   []Block
		fails  bool
	}{
		"Plain":    {"a block without a word is output", "a\n```\nx\n```\n", []Block{{Line: 3, Text: "x"}}, false},
		"Shell":    {"a shell block is for reading", "```sh\nfairway version\n```", []Block{{Line: 2, Language: "sh", Text: "fairway version"}}, false},
		"Run":      {"a block that is run ends with 0", "```sh run\na\nb\n```", []Block{{Line: 2, Language: "sh", Run: true, Text: "a\nb"}}, false},
		"Exit":     {"or with the code that it names", "```sh run exit=1\na\n```", []Block{{Line: 2, Language: "sh", Run: true, Exit: 1, Text: "a"}}, false},
		"Unknown":  {"a word that nobody knows is a mistake", "```sh rum\n```", nil, true},
		"Unclosed": {"a block must end", "```sh\na", nil, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Blocks(tc.page)
			if (err != nil) != tc.fails {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		want   [][]string
	}{
		"Simple":    {"words are split at blanks", "fairway get pods -A", [][]string{{"get", "pods", "-A"}}},
		"Quoted":    {"quotes keep words together", `fairway x --reason "a b"`, [][]string{{"x", "--reason", "a b"}}},
		"Continued": {"a backslash joins lines", "fairway x \\\n  --wait", [][]string{{"x", "--wait"}}},
		"Piped":     {"what follows a pipe is another program's", "fairway x | head -1", [][]string{{"x"}}},
		"Inside":    {"a command within another is found", "URL=$(fairway sandbox status | head -1)", [][]string{{"sandbox", "status"}}},
		"Comment":   {"comments are left out", "fairway x # y\n# fairway z", [][]string{{"x"}}},
		"Other":     {"other programs are left out", "kubectl get pods", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Commands(tc.text, "fairway")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestReferenceCheck(t *testing.T) {
	reference := Reference{"release start": {"--wait": true, "-n": true}, "sandbox kubectl": {"--name": true}}
	cases := map[string]struct {
		reason string
		words  []string
		good   bool
	}{
		"Good":    {"command and flags are there", []string{"release", "start", "x", "-n", "y", "--wait"}, true},
		"Value":   {"a flag may carry its value", []string{"release", "start", "--wait=false"}, true},
		"Flag":    {"a flag that is not there is told", []string{"release", "start", "--wat"}, false},
		"Command": {"a command that is not there is told", []string{"release", "begin"}, false},
		"Dashes":  {"what follows two dashes is another program's", []string{"sandbox", "kubectl", "a", "--", "get", "-Z"}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := reference.Check(tc.words); (err == nil) != tc.good {
				t.Errorf("%s: %v", tc.reason, err)
			}
		})
	}
}
