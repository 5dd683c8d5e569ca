// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// connectionsOfTheirOwn are not the product's connections: the sandbox's machines, and
// the port itself. Packages for tests, <room>test, are none either.
var connectionsOfTheirOwn = []string{"internal/platform/sealing/", "internal/sandbox/"}

// kubernetesPairs looks whether a kubeconfig's client certificate fits its key. What is
// said over it is Kubernetes' own: client-go makes the connection.
const kubernetesPairs = "internal/fleet/kubeconfig.go"

// unsealed are names that make connections past internal/platform/sealing.
var unsealed = []string{
	"http.DefaultTransport", "http.DefaultClient", "http.Get", "http.Head", "http.Post", "http.PostForm",
	"http.ListenAndServeTLS", "http.ServeTLS", "smtp.SendMail",
}

// unsealedMethods are those of any value.
var unsealedMethods = []string{"ListenAndServeTLS", "ServeTLS", "StartTLS"}

// pastThePort says where a file makes sealed connections itself.
func pastThePort(path string, file *ast.File) []string {
	var found []string
	for _, spec := range file.Imports {
		if imported := strings.Trim(spec.Path.Value, `"`); imported == "crypto/tls" && path != kubernetesPairs || strings.HasSuffix(imported, "/tlcp") || imported == "golang.org/x/net/http2" {
			found = append(found, "imports "+imported)
		}
	}
	sealed := map[ast.Node]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if called, ok := n.Fun.(*ast.SelectorExpr); ok {
				if called.Sel.Name == "HTTP" && len(n.Args) == 1 {
					if address, ok := n.Args[0].(*ast.UnaryExpr); ok {
						sealed[address.X] = true
					}
				}
				if slices.Contains(unsealedMethods, called.Sel.Name) {
					found = append(found, "calls "+called.Sel.Name)
				}
			}
		case *ast.SelectorExpr:
			name := selected(n)
			if slices.Contains(unsealed, name) {
				found = append(found, "uses "+name)
			}
			if path == kubernetesPairs && strings.HasPrefix(name, "tls.") && name != "tls.X509KeyPair" {
				found = append(found, "uses "+name)
			}
		case *ast.CompositeLit:
			switch selected(n.Type) {
			case "http.Transport":
				if !sealed[n] {
					found = append(found, "makes an http.Transport that sealing.Client.HTTP does not seal")
				}
			case "http.Client":
				if !slices.ContainsFunc(n.Elts, func(e ast.Expr) bool {
					pair, ok := e.(*ast.KeyValueExpr)
					return ok && fmt.Sprint(pair.Key) == "Transport"
				}) {
					found = append(found, "makes an http.Client of the library's transport")
				}
			}
		}
		return true
	})
	return found
}

func selected(n ast.Expr) string {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if of, ok := s.X.(*ast.Ident); ok {
		return of.Name + "." + s.Sel.Name
	}
	return ""
}

// TestConnectionsAreSealedByThePort: a bank's build changes how connections are sealed
// in one file of internal/platform/sealing. So nobody else makes them.
func TestConnectionsAreSealedByThePort(t *testing.T) {
	looked := 0
	sources(t, func(path string) {
		path = filepath.ToSlash(path)
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(filepath.ToSlash(filepath.Dir(path)), "test") || !strings.HasPrefix(path, "cmd/") && !strings.HasPrefix(path, "internal/") ||
			slices.ContainsFunc(connectionsOfTheirOwn, func(folder string) bool { return strings.HasPrefix(path, folder) }) {
			return
		}
		looked++
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, 0)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		for _, what := range pastThePort(path, file) {
			t.Errorf("%s %s: say it with sealing.Client or sealing.Server, which a bank's build may seal in another way", path, what)
		}
	})
	if looked < 100 {
		t.Errorf("looked at %d files, in the wrong place", looked)
	}
}

// The rule itself sees what it is for.
func TestTheRuleSeesConnections(t *testing.T) {
	for text, caught := range map[string]bool{
		`import "crypto/tls"; var x = tls.Config{}`:                                         true,
		`import "gitee.com/Trisia/gotlcp/tlcp"; var x tlcp.Config`:                          true,
		`import "net/http"; var x = http.Transport{}`:                                       true,
		`import "net/http"; var x = &http.Client{Timeout: 1}`:                               true,
		`import "net/http"; var x, _ = http.Get("https://x")`:                               true,
		`import "net/http"; var x = http.DefaultTransport.(*http.Transport).Clone()`:        true,
		`import "net/http"; func x(s *http.Server) { _ = s.ListenAndServeTLS("a", "b") }`:   true,
		`import "net/smtp"; func x(c *smtp.Client) { _ = c.StartTLS(nil) }`:                 true,
		`import "net/http"; var x, _ = client.HTTP(&http.Transport{MaxIdleConns: 1})`:       false,
		`import "net/http"; var x = &http.Client{Transport: sealed}`:                        false,
		`import "net/http"; func x(s *http.Server) { _ = s.Serve(nil) }; var y http.Server`: false,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x; "+text, 0)
		if err != nil {
			t.Fatal(err)
		}
		if found := pastThePort("internal/x/x.go", file); (len(found) > 0) != caught {
			t.Errorf("%s: %v", text, found)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", `package fleet; import "crypto/tls"; var x, y = tls.X509KeyPair, tls.Dial`, 0)
	if err != nil {
		t.Fatal(err)
	}
	if found := pastThePort(kubernetesPairs, file); len(found) != 1 {
		t.Errorf("of a kubeconfig the pair alone is looked at: %v", found)
	}
}
