// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity_test

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
)

func TestScopesOnlyTakeAway(t *testing.T) {
	sit := &identity.Scope{Namespaces: []string{"retail-sit"}}
	reader := &identity.Scope{ReadOnly: true}
	machine := &identity.Scope{}
	tests := map[string]struct {
		reason string
		scope  *identity.Scope
		asked  identity.Request
		within bool
	}{
		"Person":       {"a person has no scope", nil, identity.Request{Room: "approval", Changes: true}, true},
		"Within":       {"the namespace is named", sit, identity.Request{Room: "app", Changes: true, Namespace: "retail-sit"}, true},
		"Other":        {"another namespace", sit, identity.Request{Room: "app", Namespace: "retail-prod"}, false},
		"All":          {"all namespaces at once", sit, identity.Request{Room: "app"}, false},
		"Prefix":       {"a name that only begins alike", sit, identity.Request{Room: "app", Namespace: "retail-sit2"}, false},
		"About":        {"what the API is, everybody may know", sit, identity.Request{Room: "server", About: true}, true},
		"AboutWrite":   {"but not change", sit, identity.Request{Room: "server", About: true, Changes: true}, false},
		"Read":         {"a reader reads", reader, identity.Request{Room: "app", Namespace: "any"}, true},
		"ReaderWrites": {"and does not write", reader, identity.Request{Room: "app", Namespace: "any", Changes: true}, false},
		"Decides":      {"a machine agrees to nothing", machine, identity.Request{Room: "approval", Changes: true}, false},
		"LetsIn":       {"and lets nobody in", machine, identity.Request{Room: "identity", Changes: true}, false},
		"HubDecides":   {"not by kubectl either", machine, identity.Request{Room: "server", Changes: true, Path: "/apis/approval.fairway.cloud/v1alpha1/namespaces/a/decisions"}, false},
		"HubPeople":    {"nor changes it people", machine, identity.Request{Room: "server", Changes: true, Path: "/apis/identity.fairway.cloud/v1alpha1/people/p1"}, false},
		"ReadsInbox":   {"it reads what waits", machine, identity.Request{Room: "approval"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if why := test.scope.Refuses(test.asked); (why == "") != test.within {
				t.Errorf("%s: got %q", test.reason, why)
			}
		})
	}
}

func TestNamesOfLogins(t *testing.T) {
	for name, fine := range map[string]bool{
		"zhang.san": true, "张三": true, "O'Brien, Pat": true, "user@bank.example": true,
		"": false, "a\x00b": false, "a\nb": false, "a\u202eb": false, "a\u200bb": false, "a\u00a0b": false, "\xd6\xd0\xb9\xfa": false, strings.Repeat("a", 257): false,
	} {
		if why := identity.CheckLogin(name); (why == "") != fine {
			t.Errorf("%q: %q", name, why)
		}
	}
	for name, fine := range map[string]bool{"ci-1": true, "a.b_c": true, "": false, "-a": false, "a b": false, "张": false, "a/b": false, strings.Repeat("a", 64): false} {
		if identity.PlainName(name) != fine {
			t.Errorf("PlainName(%q)", name)
		}
	}
	if got := identity.Shown("a\x1b[2J\u202eb\xffc张", 6); got != "a[2Jbc" {
		t.Errorf("got %q", got)
	}
}

// What somebody typed into the wrong field cannot be found out from the evidence
// without the key, and is the same each time.
func TestUnknownNamesAreBlurred(t *testing.T) {
	key, other := []byte("k1"), []byte("k2")
	a := identity.Blurred(key, "My-Secret-Passw0rd")
	if a != identity.Blurred(key, "My-Secret-Passw0rd") || a == identity.Blurred(other, "My-Secret-Passw0rd") || strings.Contains(a, "Secret") {
		t.Errorf("got %q", a)
	}
}

func TestPasswordsThatWillNotDo(t *testing.T) {
	for password, fine := range map[string]bool{
		"correct horse battery": true, "天地玄黄宇宙洪荒日月盈昃": true, "Tr0ub4dor&3-horse": true,
		"short": false, "zhang.san-is-me-1": false, "aaaaaaaaaaaaaa": false, "abababababab": false, "password1234": false, "Password!!!!": false,
		"123456789012": false, "098765432109": false, "qwertyuiop[]": false, "welcome12345": false, "a\tbcdefghijklmnop": false, "\xff\xfeabcdefghijkl": false, strings.Repeat("correct", 40): false,
	} {
		if why := identity.CheckPassword("zhang.san", password); (why == "") != fine {
			t.Errorf("%q: %q", password, why)
		}
	}
}

func TestLocksGrowAndEnd(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	a := identity.Attempts{}
	for range 4 {
		a = a.Failed(now)
	}
	if !identity.AccountLock.Until(a, now).IsZero() {
		t.Error("four failures lock nothing")
	}
	var last time.Duration
	for i := range 12 {
		a = a.Failed(now)
		locked := identity.AccountLock.Until(a, now).Sub(now)
		if locked < last || (i == 0 && locked != 30*time.Second) || locked > 15*time.Minute {
			t.Errorf("failure %d locks for %s after %s", a.Failures, locked, last)
		}
		last = locked
	}
	if last != 15*time.Minute {
		t.Errorf("the longest lock is 15 minutes, got %s", last)
	}
	if !identity.AccountLock.Until(a, now.Add(15*time.Minute)).IsZero() {
		t.Error("a lock ends")
	}
	if !identity.AccountLock.Until(a, now.Add(-time.Hour)).IsZero() {
		t.Error("a clock that was put back an hour keeps nobody out for an hour")
	}
	if a = a.Failed(now.Add(25 * time.Hour)); a.Failures != 1 {
		t.Errorf("after a day failures are forgotten, got %d", a.Failures)
	}
}

func TestSettings(t *testing.T) {
	s, err := identity.ReadSettings(nil)
	if err != nil || len(s.Providers) != 1 || s.Providers[0].Local == nil || s.Sessions.Idle.Duration != 30*time.Minute || s.Sessions.Absolute.Duration != 12*time.Hour {
		t.Errorf("without settings there are local accounts: %+v %v", s, err)
	}
	const ldap = "providers: [{name: ad, ldap: {url: %s, bindDN: cn=a, passwordFile: /p, baseDN: dc=b}}]"
	const sso = "providers: [{name: sso, oidc: {issuer: %s, clientID: c, redirectURL: '%s'}}]"
	const home = "https://fairway.bank.example/api/v1/identity/oidc/sso/callback"
	fill := func(format string, words ...string) string {
		for _, w := range words {
			format = strings.Replace(format, "%s", w, 1)
		}
		return format
	}
	for name, test := range map[string]struct {
		reason, text string
		fine         bool
	}{
		"LDAPS":     {"encrypted", fill(ldap, "ldaps://ad.bank.example:636"), true},
		"StartTLS":  {"becomes encrypted", fill(ldap, "ldap://ad.bank.example"), true},
		"Plain":     {"passwords would go over the network", strings.Replace(fill(ldap, "ldap://ad.bank.example"), "bindDN", "plain: true, bindDN", 1), false},
		"PlainHere": {"they stay on this machine", strings.Replace(fill(ldap, "ldap://127.0.0.1:389"), "bindDN", "plain: true, bindDN", 1), true},
		"Unknown":   {"a misspelt field must not be passed over", strings.Replace(fill(ldap, "ldaps://x"), "baseDN", "baseDn2", 1), false},
		"OIDC":      {"fine", fill(sso, "https://sso.bank.example", home), true},
		"HTTP":      {"an issuer without TLS", fill(sso, "http://sso.bank.example", home), false},
		"Redirect":  {"a callback elsewhere", fill(sso, "https://sso.bank.example", "https://evil.example/x"), false},
		"Offline":   {"it would keep a credential", strings.Replace(fill(sso, "https://s.x", home), "clientID", "scopes: [offline_access], clientID", 1), false},
		"Twice":     {"a name twice", "providers: [{name: local, local: {}}, {name: local, local: {}}]", false},
		"Both":      {"two ways in one", "providers: [{name: local, local: {}, oidc: {issuer: 'https://a', clientID: c}}]", false},
		"Bootstrap": {"a name that is taken", "providers: [{name: bootstrap, ldap: {url: 'ldaps://x', bindDN: a, passwordFile: b, baseDN: c}}]", false},
		"Idle":      {"no session holds for seconds", "sessions: {idle: 5s}", false},
		"Everybody": {"everybody is no pin", "front: {name: 4a, userHeader: X-Bank-User, from: [0.0.0.0/0]}", false},
		"NoPin":     {"anybody could vouch", "front: {name: 4a, userHeader: X-Bank-User}", false},
		"Front":     {"pinned", "front: {name: 4a, userHeader: X-Bank-User, from: [10.1.2.3]}", true},
		"Remote":    {"Kubernetes' own header", "front: {name: 4a, userHeader: X-Remote-User, from: [10.1.2.3]}", false},
		"Underline": {"a header that folds", "front: {name: 4a, userHeader: X_Bank_User, from: [10.1.2.3]}", false},
		"Bare":      {"a certificate of anybody's names anybody", "front: {name: 4a, from: [10.1.2.3]}", false},
		"Proxy":     {"no address", "trustedProxies: [proxy.bank.example]", false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := identity.ReadSettings([]byte(test.text)); (err == nil) != test.fine {
				t.Errorf("%s: %v", test.reason, err)
			}
		})
	}
}

func TestWhoManagesLogins(t *testing.T) {
	for reason, test := range map[string]struct {
		person identity.Person
		may    bool
	}{
		"a security administrator":     {identity.Person{ID: "p1", Groups: []string{"fairway:security-administrators"}}, true},
		"a system administrator":       {identity.Person{ID: "p1", Groups: []string{"fairway:system-administrators", "fairway:administrators"}}, false},
		"the beginning":                {identity.Person{ID: "sandbox-admin", Provider: "bootstrap"}, true},
		"a security officer's machine": {identity.Person{ID: "p1", Machine: "ci", Groups: []string{"fairway:security-administrators"}}, false},
	} {
		if identity.MayManageLogins(test.person) != test.may {
			t.Error(reason)
		}
	}
}

// Every field of the settings is explained.
func TestSettingsAreDocumented(t *testing.T) {
	for _, path := range []string{"../../docs/reference/login.md", "../../docs/zh-CN/reference/login.md"} {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var walk func(typ reflect.Type)
		walk = func(typ reflect.Type) {
			for i := range typ.NumField() {
				field := typ.Field(i)
				name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				if !strings.Contains(string(page), "`"+name+"`") && !strings.Contains(string(page), "."+name+"`") && name != "sessions" {
					t.Errorf("%s does not explain %s.%s", path, typ.Name(), name)
				}
				inner := field.Type
				for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
					inner = inner.Elem()
				}
				if inner.Kind() == reflect.Struct && inner.PkgPath() == typ.PkgPath() {
					walk(inner)
				}
			}
		}
		walk(reflect.TypeFor[identity.Settings]())
	}
}

// The example of the guide is read as it stands there.
func TestTheGuidesSettingsAreRead(t *testing.T) {
	page, err := os.ReadFile("../../docs/howto/connect-a-directory.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```")
	read := 0
	for i := 1; i < len(blocks); i += 2 {
		body, ok := strings.CutPrefix(blocks[i], "yaml\n")
		if !ok || strings.Contains(body, "kind: Person") {
			continue
		}
		if _, err := identity.ReadSettings([]byte(body)); err != nil {
			t.Errorf("%v:\n%s", err, body)
		}
		read++
	}
	if read != 2 {
		t.Errorf("read %d examples", read)
	}
}
