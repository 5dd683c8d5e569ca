// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package authority

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

var update = flag.Bool("update", false, "write the page")

var page = filepath.Join("..", "..", "docs", "reference", "authorization-matrix.md")

// reply is what a route answered.
type reply struct {
	status int
	code   string
	// said is the whole answer, with the names of the targets made alike.
	said string
	// sees are the namespaces and names of the list that was answered.
	sees string
}

// sign is the reply as the page shows it.
func (r reply) sign() string {
	switch {
	case r.status == http.StatusUnauthorized:
		return "!"
	case r.status == http.StatusForbidden:
		return "–"
	case r.status == http.StatusNotFound:
		return "○"
	case r.status == http.StatusServiceUnavailable:
		return "~"
	case r.status >= 500:
		return "E"
	case r.status >= 400:
		return "✓" // past every check of authority; the content is another matter
	case r.sees != "":
		return r.sees
	}
	return "✓"
}

// probe asks routes about targets as roles.
type probe struct {
	t *testing.T
	// complain is told what must not be, whatever the page says.
	complain func(format string, args ...any)
	site     site
	kinds    []httpapi.Kind
	own      client.Client
	mu       sync.Mutex
	kept     map[string]*unstructured.Unstructured
}

func (p *probe) kind(r httpapi.Route) (httpapi.Kind, bool) {
	at := slices.IndexFunc(p.kinds, func(k httpapi.Kind) bool { return k.Room == r.Room && k.Kind == r.Kind })
	if at < 0 {
		return httpapi.Kind{}, false
	}
	return p.kinds[at], true
}

// stored is a seeded object as the hub has it, so that an update is one.
func (p *probe) stored(k httpapi.Kind, namespace, name string) *unstructured.Unstructured {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := k.Kind + "/" + namespace + "/" + name
	if o, ok := p.kept[key]; ok {
		return o
	}
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(k.GVK())
	at := client.ObjectKey{Name: name}
	if k.Namespaced {
		at.Namespace = namespace
	}
	if err := p.own.Get(p.t.Context(), at, o); err != nil {
		o = object(p.t, k, namespace, name) // that which is not there
	}
	o.SetManagedFields(nil)
	unstructured.RemoveNestedField(o.Object, "status")
	p.kept[key] = o
	return o
}

var parameter = regexp.MustCompile(`\{[a-zA-Z]+\}`)

// request is what is asked of a route about a target.
func (p *probe) request(r httpapi.Route, at target, who identity.Person) (method, path string, body []byte, headers http.Header) {
	headers = http.Header{}
	k, ofKind := p.kind(r)
	name := "shop"
	if ofKind {
		name = at.name(k)
		if k.Kind == "Person" && at.namespace == mine {
			name = who.ID // his own
		}
	}
	method, path = r.Method, parameter.ReplaceAllStringFunc(r.Pattern, func(word string) string {
		switch word {
		case "{namespace}":
			return at.namespace
		case "{kind}":
			return "Application"
		case "{index}":
			return "0"
		case "{id}":
			return "0123456789abcdef"
		case "{provider}":
			return "local"
		case "{seat}":
			return "web-1"
		}
		return name
	})
	query := "?"
	if r.DryRun {
		query += "dryRun=All&"
	}
	switch {
	case r.Hub:
		method, path = http.MethodGet, "/hub/apis/app.fairway.cloud/v1alpha1/namespaces/"+at.namespace+"/applications/shop"
		query = "?"
	case r.Verb == "canI", r.Verb == "whoCan":
		query += "verb=get&kind=applications&namespace=" + at.namespace
	case r.Pattern == "/api/v1/approval/windows", r.Pattern == "/api/v1/approval/inbox", r.Room == "audit" && (r.Verb == "list" || r.Verb == "export"):
		query += "namespace=" + at.namespace
	case r.Verb == "createAccount":
		body = []byte(`{"name":"m.account","person":"m-vi"}`)
	case r.Verb == "import":
		body = []byte("id\nm-import\n")
	case r.Verb == "importMachines":
		query += "observedAt=2026-01-01T00:00:00Z"
		body = []byte("namespace,application,component,seat,dcn,dataCenter,rack,host,address\n" + at.namespace + ",shop,web,1,dcn-1,shared,r1,vm1,10.1.2.3\n")
	case r.Verb == "replayInventory":
		body = []byte(`{"receiver":"cmdb","after":0}`)
	case r.Verb == "listMachines", r.Verb == "inventory":
		query += "namespace=" + at.namespace
	case r.Kind == "Brake" && (r.Verb == "set" || r.Verb == "release"):
		body = []byte(`{"reason":"test"}`)
	case r.Verb == "apply":
		query += "force=true"
	}
	if ofKind && slices.Contains([]string{"create", "createIn", "update", "apply"}, r.Verb) {
		o := object(p.t, k, at.namespace, "fresh")
		if r.Verb == "update" || r.Verb == "apply" {
			o = p.stored(k, at.namespace, name).DeepCopy()
			headers.Set("If-Match", `"`+cmp.Or(o.GetResourceVersion(), "1")+`"`)
		}
		if r.Verb == "apply" {
			o.SetResourceVersion("")
			o.SetUID("")
			set := []string{"author", "requester", "by"} // by the API
			if k.Kind == "Amendment" || k.Kind == "Confirmation" {
				set = append(set, "groups", "session", "proof")
			}
			for _, field := range set {
				unstructured.RemoveNestedField(o.Object, "spec", field)
			}
		}
		body, _ = json.Marshal(o.Object)
		if k.Kind == "Delegation" && r.Verb == "create" {
			body = bytes.ReplaceAll(body, []byte(`"principal":"m-ba"`), []byte(`"principal":"`+who.ID+`"`))
			body = bytes.ReplaceAll(body, []byte("mine-business"), []byte(who.Groups[0]))
		}
	} else if body == nil && r.BodyLimit > 0 && !r.Hub {
		body = []byte(`{}`)
	}
	return method, path + strings.TrimRight(query, "?&"), body, headers
}

// ask asks, as somebody.
func (p *probe) ask(r httpapi.Route, at target, credential string, who identity.Person) reply {
	method, path, body, headers := p.request(r, at, who)
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, p.site.url+path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header = headers
	if credential != "" {
		request.Header.Set("Authorization", "Bearer "+credential)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.complain("%s %s: %v", method, path, err)
		return reply{}
	}
	defer response.Body.Close() //nolint:errcheck // only read
	got := reply{status: response.StatusCode}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return got // it goes on for ever
	}
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		p.complain("%s %s: %v", method, path, err)
	}
	object := map[string]any{}
	if json.Unmarshal(raw, &object) == nil {
		got.code, _ = object["code"].(string)
		delete(object, "trace")
		delete(object, "at")
		if items, isList := object["items"].([]any); isList && got.status == http.StatusOK && method == http.MethodGet {
			got.sees = seen(raw, len(items), strings.Contains(path, "-prod"))
		}
		raw, _ = json.Marshal(object)
	}
	if r.Room == "audit" && r.Verb == "export" && got.status == http.StatusOK {
		got.sees = "0"
		if bytes.Contains(raw, []byte("app.apply")) {
			got.sees = "✓"
		}
		raw = nil // each is signed anew
	}
	got.said = fmt.Sprint(got.status, " ", alike(string(raw)))
	return got
}

// seen says what a list shows: something of the one namespace that was asked for (✓), both
// tenants' (A), the own one's alone (1), things
// that belong to neither (✓), or nothing (0).
func seen(raw []byte, items int, one bool) string {
	own, other := bytes.Contains(raw, []byte("mine")), bytes.Contains(raw, []byte("yours"))
	switch {
	case items == 0:
		return "0"
	case one:
		return "✓" // of the namespace that was named
	case own && other:
		return "A"
	case other:
		return "2"
	case own:
		return "1"
	}
	return "✓"
}

// alike makes the names of the second and the third target the same, so that what is
// another's and what is not there can be compared.
var alike = strings.NewReplacer("yours-prod", "X", "gone-prod", "X", "yours-pool", "X", "yours", "X", "gone", "X").Replace

// row is a route in the matrix, by role: what it answers about the three targets.
type row struct {
	route httpapi.Route
	cells []string
}

// line is the row on the page.
func (r row) line() string {
	return fmt.Sprintf("| `%s %s` | %s |", r.route.Method, r.route.Pattern, strings.Join(r.cells, " | "))
}

// left are the routes that are for people without a name: the probes, and the ways in.
func left(r httpapi.Route) bool { return r.Open || r.Login }

// tell makes the rows. Where it is told that something differs, it may stop early.
func (p *probe) tell(stop func(r row) bool) []row {
	var rows []row
	for _, r := range p.site.routes {
		if left(r) {
			continue
		}
		one := row{route: r, cells: make([]string, len(roles))}
		var wait sync.WaitGroup
		for i, as := range roles {
			wait.Go(func() { one.cells[i] = p.cell(r, as) })
		}
		wait.Wait()
		rows = append(rows, one)
		if stop != nil && stop(one) {
			return rows
		}
	}
	return rows
}

// cell asks as one role about the three targets.
func (p *probe) cell(r httpapi.Route, as role) string {
	about := map[string]bool{}
	for _, at := range targets {
		method, path, body, _ := p.request(r, at, as.person())
		about[method+path+string(body)] = true
	}
	asked := targets
	if len(about) == 1 {
		asked = targets[:1] // it is about nothing in particular
	}
	var replies []reply
	signs := ""
	for _, at := range asked {
		got := p.ask(r, at, as.short, as.person())
		if got.status >= 500 && got.status != http.StatusServiceUnavailable {
			p.complain("%s, %s: %s", r.ID(), as.name, got.said)
		}
		replies = append(replies, got)
		signs += got.sign()
	}
	// What is another tenant's answers exactly as what is not there.
	k, ofKind := p.kind(r)
	tenants := !ofKind || k.Namespaced || k.Kind == "Tenant" || k.Kind == "Pool"
	if tenants && !as.platform() && len(replies) == 3 && replies[1].said != replies[2].said {
		p.complain("%s tells %s another tenant's from what is not there:\n%s\n%s", r.ID(), as.name, replies[1].said, replies[2].said)
	}
	return signs
}

// head is what the page says before its table.
const head = `# Authorization matrix

Written by ` + "`go test ./test/authority -update`" + ` from the route table and a real hub; the test fails when a route
is not here, or answers otherwise. What each role is for is in [roles and rights](roles.md).

A cell has three signs: about what is the asker's own (in ` + "`mine-prod`" + `, where the roles of a tenant are bound),
about the same thing of another tenant (` + "`yours-prod`" + `), and about what is not there. A route that is about nothing
in particular has one. Another tenant's answers exactly as what is not there, word for word.

| Sign | Meaning |
|---|---|
| ✓ | may: done, or refused for its content alone |
| – | may not (403) |
| ○ | not found (404): not there, or not for the asker to know |
| A, 1, 0 | a list that shows both tenants', the own tenant's alone, nothing |
| ~ | not available in this test: nothing lies behind the route (503) |

Every route answers 401 to a stranger. Open to strangers are only the probes and the ways in:
`

func render(rows []row, routes []httpapi.Route) string {
	b := &strings.Builder{}
	b.WriteString(head)
	for _, r := range routes {
		if left(r) {
			fmt.Fprintf(b, "`%s %s`, ", r.Method, r.Pattern)
		}
	}
	text := strings.TrimSuffix(b.String(), ", ") + ".\n\nColumns: "
	b.Reset()
	b.WriteString(text)
	var columns []string
	for _, r := range roles {
		columns = append(columns, r.short+" "+r.name)
	}
	b.WriteString(strings.Join(columns, ", ") + ".\n\n| Route |")
	for _, r := range roles {
		b.WriteString(" " + r.short + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(roles)) + "\n")
	for _, r := range rows {
		b.WriteString(r.line() + "\n")
	}
	return b.String()
}

func newProbe(t *testing.T, c checks) *probe {
	t.Helper()
	own, err := client.New(hub.UserConfig(t, "fairway", "fairway:system"), client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return &probe{t: t, complain: t.Errorf, site: start(t, c), kinds: kinds(t), own: own, kept: map[string]*unstructured.Unstructured{}}
}

// Every route, as every role, about what is its own, another's and not there: as the
// reviewed page says. And a stranger gets nowhere.
func TestMatrix(t *testing.T) {
	if hub == nil {
		t.Skip("no cluster under -short")
	}
	seed(t, kinds(t))
	p := newProbe(t, all())
	for _, r := range p.site.routes {
		if got := p.ask(r, targets[0], "", identity.Person{ID: "stranger", Groups: []string{""}}); !left(r) && got.status != http.StatusUnauthorized {
			t.Errorf("%s answers a stranger: %s", r.ID(), got.said)
		}
	}
	got := render(p.tell(nil), p.site.routes)
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("a route answers otherwise than the reviewed page says, or is not on it. See whether that is meant; if it is: go test ./test/authority -update (-page +now)\n%s", diff)
	}

	// Take one check away, and the page does not hold any more.
	lines := strings.Split(string(want), "\n")
	for name, without := range map[string]func(*checks){
		"who asks":                    func(c *checks) { c.identity = everybody{} },
		"what the asker may see":      func(c *checks) { c.authority = func(server.Authority) server.Authority { return yes{} } },
		"the asker's name on the hub": func(c *checks) { c.impersonate = false },
		"the asker's groups":          func(c *checks) { c.identity = nameless{} },
	} {
		t.Run("without "+name, func(t *testing.T) {
			c := all()
			without(&c)
			weak, broken := newProbe(t, c), false
			weak.complain = func(string, ...any) { broken = true }
			weak.tell(func(r row) bool {
				broken = broken || !slices.Contains(lines, r.line())
				return broken
			})
			if !broken {
				t.Errorf("nothing on the page depends on %s", name)
			}
		})
	}
}

// everybody lets in whoever comes, as the founder.
type everybody struct{}

func (everybody) Authenticate(context.Context, string) (identity.Person, error) {
	return roles[14].person(), nil
}

// nameless forgets the groups.
type nameless struct{}

func (nameless) Authenticate(ctx context.Context, credential string) (identity.Person, error) {
	p, err := byRole{}.Authenticate(ctx, credential)
	p.Groups = nil
	return p, err
}

// yes lets everybody see everything.
type yes struct{}

func (yes) May(context.Context, identity.Person, server.Question) (bool, error) { return true, nil }
