// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWrittenIsRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SandboxFile)
	for range 2 { // a second time over the first
		if err := Write(path, Client{Server: "https://127.0.0.1:8443", CAFile: "ca.crt", TokenFile: "/somewhere/token"}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("only its owner may read the file: %v %v", info.Mode(), err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := Client{Server: "https://127.0.0.1:8443", CAFile: filepath.Join(dir, "ca.crt"), TokenFile: "/somewhere/token"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("relative paths belong to the file's folder: (-want +got)\n%s", diff)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".client-*")); left != nil {
		t.Errorf("nothing else is left behind: %v", left)
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ reason, content, want string }{
		"unknown": {"a misspelt field must not be passed over", "server: https://a\ncaPath: x\n", "unknown field"},
		"empty":   {"a file without a server is of no use", "caFile: x\n", "names no server"},
		"text":    {"any other file", "hello\n", "could not read client file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(path); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestFind(t *testing.T) {
	for name, tc := range map[string]struct {
		reason    string
		given     string
		variable  string
		home      bool
		sandboxes []string
		want      string
		wantErr   string
	}{
		"none":     {reason: "nothing anywhere", wantErr: ErrNone.Error()},
		"given":    {reason: "the flag wins", given: "f.yaml", variable: "v.yaml", home: true, want: "f.yaml"},
		"variable": {reason: "then the environment", variable: "v.yaml", home: true, want: "v.yaml"},
		"home":     {reason: "then the person's own", home: true, sandboxes: []string{"bank"}, want: "home"},
		"sandbox":  {reason: "then the one sandbox", sandboxes: []string{"other"}, want: "other"},
		"bank":     {reason: "of several, the one that sandbox commands mean", sandboxes: []string{"a", "bank", "c"}, want: "bank"},
		"several":  {reason: "of several others none is guessed", sandboxes: []string{"a", "c"}, wantErr: "several sandboxes"},
	} {
		t.Run(name, func(t *testing.T) {
			home, root := t.TempDir(), t.TempDir()
			t.Setenv("XDG_CONFIG_HOME", home)
			t.Setenv(Variable, tc.variable)
			write := func(path string) {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := Write(path, Client{Server: "https://a"}); err != nil {
					t.Fatal(err)
				}
			}
			want := tc.want
			if tc.home {
				write(Home())
			}
			for _, s := range tc.sandboxes {
				write(filepath.Join(root, s, SandboxFile))
				if s == tc.want {
					want = filepath.Join(root, s, SandboxFile)
				}
			}
			if tc.want == "home" {
				want = Home()
			}
			got, err := Find(tc.given, root)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Errorf("%s: got %v, want %q", tc.reason, err, tc.wantErr)
				}
				if name == "none" && !errors.Is(err, ErrNone) {
					t.Errorf("%s: callers must be able to tell", tc.reason)
				}
				return
			}
			if err != nil || got != want {
				t.Errorf("%s: got %q %v, want %q", tc.reason, got, err, want)
			}
		})
	}
}

func TestContexts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	text := "server: https://a\ncaFile: ca.crt\ntokenFile: admin.token\nnamespace: retail\ncontexts:\n- {name: same, tokenFile: tokens/same.token}\n" +
		"- {name: other, server: 'https://b', tokenFile: other.token, provider: local, user: u, passwordFile: p}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	for name, want := range map[string]Client{
		"same": {Server: "https://a", CAFile: filepath.Join(dir, "ca.crt"), TokenFile: filepath.Join(dir, "tokens/same.token"), Namespace: "retail", Current: "same"},
		"other": {Server: "https://b", TokenFile: filepath.Join(dir, "other.token"), Namespace: "retail", Current: "other",
			Ready: &Context{Name: "other", Server: "https://b", TokenFile: filepath.Join(dir, "other.token"), Provider: "local", User: "u", PasswordFile: filepath.Join(dir, "p")}},
	} {
		got, err := file.Use(name)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: another server takes neither certificate nor token: %v (-want +got)\n%s", name, err, diff)
		}
	}
	if got, err := file.Use(""); err != nil || got.TokenFile != filepath.Join(dir, "admin.token") {
		t.Errorf("without a current one the file's own fields count: %v %v", got, err)
	}
	if _, err := file.Use("nope"); err == nil || !strings.Contains(err.Error(), "there are: same, other") {
		t.Errorf("got %v", err)
	}
	file = file.With(Context{Name: "new", TokenFile: "/t"})
	if got, err := file.Use(""); err != nil || got.TokenFile != "/t" {
		t.Errorf("the newest is the current one: %v %v", got, err)
	}
	if file = file.Without("new"); file.Current != "" || len(file.Contexts) != 2 {
		t.Errorf("got %+v", file)
	}
	if err := os.WriteFile(path, []byte("contexts: [{name: lost}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil {
		t.Error("a context without a server is of no use")
	}
}
