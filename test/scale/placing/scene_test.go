// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/platform/admission"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
	"github.com/fairway-cloud/fairway/internal/server/hooked"
)

// scene is a hub, members, and a server between them, each a process of its own.
type scene struct {
	t     *testing.T
	began time.Time
	size  size
	dir   string

	hub     *kubetest.Cluster
	members []*member
	server  *kubetest.Child
	address string
	profile string
	// api is what people use: REST, as the administrator. own is Fairway's own account on
	// the hub, which tests describe the bank with. raw is the hub's administrator.
	api      *cli.Client
	own, raw client.Client
	hooks    client.Object
}

// member is a cluster of the fleet.
type member struct {
	name, site string
	cluster    *kubetest.Cluster
}

// open starts everything, and waits until the pools have the room of their hosts.
func open(t *testing.T, z size) *scene {
	t.Helper()
	s := &scene{t: t, began: time.Now(), size: z, dir: t.TempDir()}
	var building errgroup.Group
	building.Go(s.build)
	s.hub = kubetest.Start(t, kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithAPIServerFlags("--profiling=true"), kubetest.WithAPIServerEnv("GOMEMLIMIT=8GiB", "GOGC=100"), kubetest.WithScheme(placementtest.Scheme(t)))
	var names []string
	for i := range z.members {
		names = append(names, fmt.Sprintf("%s-%d", []string{"east", "west"}[i%2], i/2+1))
	}
	clusters := kubetest.StartFleet(t, names, kubetest.WithManifests("config/member"), kubetest.WithSimulator())
	for i, name := range names {
		s.members = append(s.members, &member{name: name, site: []string{"dc-east", "dc-west"}[i%2], cluster: clusters[name]})
	}
	s.say("a hub and %d members answer", z.members)
	must(t, building.Wait())
	s.connect()
	s.serve()
	s.say("the server answers")
	s.describe()
	s.join()
	s.say("%d members have joined, %d hosts in %d pools offer their room", z.members, z.allHosts(), z.tenants)
	return s
}

// build compiles the server.
func (s *scene) build() error {
	out, err := exec.CommandContext(s.t.Context(), "go", "build", "-o", filepath.Join(s.dir, "fairway"), "github.com/fairway-cloud/fairway/cmd/fairway").CombinedOutput()
	if err != nil {
		return fmt.Errorf("could not build the server: %w\n%s", err, out)
	}
	return nil
}

// connect makes the clients of the hub, which nothing throttles.
func (s *scene) connect() {
	s.t.Helper()
	for into, config := range map[*client.Client]*rest.Config{&s.own: s.hub.UserConfig(s.t, "fairway", "fairway:system"), &s.raw: s.hub.Config()} {
		config.QPS = -1
		made, err := client.New(config, client.Options{Scheme: placementtest.Scheme(s.t)})
		must(s.t, err)
		*into = made
	}
}

// serve starts "fairway server" as an installation does: with its own account, and with
// the hub asking it before it stores something.
func (s *scene) serve() {
	s.t.Helper()
	authority, err := pki.New("test")
	must(s.t, err)
	pair, err := authority.Issue(pki.Request{CommonName: "fairway", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	must(s.t, err)
	s.address, s.profile = free(s.t), free(s.t)
	kubeconfig := s.file("hub.kubeconfig", s.hub.UserKubeconfig(s.t, "fairway", "fairway:system"))
	certificate, key, ca := s.file("tls.crt", pair.Cert), s.file("tls.key", pair.Key), s.file("ca.crt", authority.CertPEM())
	data := filepath.Join(s.dir, "data")
	s.server = kubetest.Run(s.t, supervise.Process{
		Name: "fairway", LogFile: filepath.Join(s.dir, "fairway.log"), Ready: answers("https://"+s.address+"/readyz", authority.CertPEM()),
		Argv: []string{
			filepath.Join(s.dir, "fairway"), "server", "--kubeconfig=" + kubeconfig, "--listen=" + s.address, "--tls-cert=" + certificate, "--tls-key=" + key,
			"--data-dir=" + data, "--hooks=https://" + s.address, "--hooks-ca=" + ca, "--allow-loopback-members", "--pprof-address=" + s.profile,
			"--plain-http-registry=registry.bank.example=" + registryWith(s.t, "bank/app:v1"),
		},
	})
	s.api, err = cli.NewClient(cli.Access{Server: "https://" + s.address, TokenFile: filepath.Join(data, "admin.token"), CAFile: ca})
	must(s.t, err)
	token, err := tokenfile.Read(filepath.Join(data, "hook.token"))
	must(s.t, err)
	hooks, err := hooked.Configuration(admission.Server{URL: "https://" + s.address, Token: token, CA: authority.CertPEM()})
	must(s.t, err)
	must(s.t, s.raw.Create(s.t.Context(), hooks))
	s.hooks = hooks
}

// closeServer ends the server; the hub asks nobody any more.
func (s *scene) closeServer() {
	s.t.Helper()
	s.server.Stop()
	must(s.t, s.raw.Delete(s.t.Context(), s.hooks))
}

// keepProfiles keeps profiles in the folder that FAIRWAY_SCALE_PROFILES names, one after
// another until the run ends: of 20 seconds of CPU of the server and of the hub's API
// server, then of the server's memory.
func (s *scene) keepProfiles(end <-chan struct{}) {
	folder := os.Getenv("FAIRWAY_SCALE_PROFILES")
	if folder == "" {
		return
	}
	api, err := kubernetes.NewForConfig(s.hub.Config())
	must(s.t, errors.Join(err, os.MkdirAll(folder, 0o750)))
	for i := 0; ; i++ {
		select {
		case <-end:
			return
		default:
		}
		keep := func(what string, content []byte, err error) error {
			return errors.Join(err, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%03d.pprof", what, i)), content, 0o600))
		}
		var all errgroup.Group
		all.Go(func() error {
			content, err := s.ask("/debug/pprof/profile?seconds=20")
			return keep("server", content, err)
		})
		all.Go(func() error {
			content, err := api.RESTClient().Get().AbsPath("/debug/pprof/profile").Param("seconds", "20").DoRaw(s.t.Context())
			return keep("hub", content, err)
		})
		err := all.Wait()
		content, failed := s.ask("/debug/pprof/heap")
		if err := errors.Join(err, keep("memory", content, failed)); err != nil {
			s.t.Logf("could not keep a profile: %v", err)
			return
		}
	}
}

// ask asks the server at the address of its profiles.
func (s *scene) ask(path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.profile+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(response.Body)
	return content, errors.Join(err, response.Body.Close())
}

// join takes the members into the fleet as people do, gives them their hosts, and waits
// until Fairway has seen the room of all of them.
func (s *scene) join() {
	s.t.Helper()
	var all errgroup.Group
	for _, m := range s.members {
		all.Go(func() error {
			if err := s.raise(m); err != nil {
				return err
			}
			return s.trying("join "+m.name, func() error {
				return s.post("/api/v1/fleet/clusters/"+m.name+"/join", map[string]any{
					"kubeconfig": string(m.cluster.UserKubeconfig(s.t, "fairway", "fairway:hub")), "dataCenter": m.site, "environment": environment,
				}, nil)
			})
		})
	}
	must(s.t, all.Wait())
	must(s.t, s.trying("see the room of all hosts", func() error {
		var pools fleetv1.PoolList
		if err := s.own.List(s.t.Context(), &pools); err != nil {
			return err
		}
		seen, trouble := 0, ""
		for _, p := range pools.Items {
			if ready := meta.FindStatusCondition(p.Status.Conditions, "Ready"); ready != nil && ready.Status != metav1.ConditionTrue {
				trouble = ready.Message
			}
			for _, r := range p.Status.Racks {
				seen += len(r.Hosts)
			}
		}
		if want := s.size.allHosts(); seen != want {
			return fmt.Errorf("%d of %d hosts offer room: %s", seen, want, trouble)
		}
		var tenants tenancyv1.TenantList
		if err := s.own.List(s.t.Context(), &tenants); err != nil {
			return err
		}
		for _, of := range tenants.Items {
			if !meta.IsStatusConditionTrue(of.Status.Conditions, "Ready") {
				return fmt.Errorf("tenant %q is not ready yet", of.Name)
			}
		}
		var clusters fleetv1.ClusterList
		if err := s.own.List(s.t.Context(), &clusters); err != nil {
			return err
		}
		for _, c := range clusters.Items {
			if c.Status.PodAdmission == "" || c.Status.PodAdmission == "None" {
				return fmt.Errorf("cluster %q is not guarded yet", c.Name)
			}
		}
		return nil
	}))
}

// trying repeats until something succeeds, for a few minutes.
func (s *scene) trying(what string, do func() error) error {
	told := time.Now()
	for end := told.Add(5 * time.Minute); ; {
		err := do()
		switch {
		case err == nil:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("could not %s: %w", what, err)
		case time.Since(told) > 10*time.Second:
			s.say("%s: %v", what, err)
			told = time.Now()
		}
		select {
		case <-s.t.Context().Done():
			return s.t.Context().Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// post calls the API, and again while something passes by itself.
func (s *scene) post(path string, body any, into any) error {
	for try := 0; ; try++ {
		answer, err := s.api.Do(s.t.Context(), cli.Request{Method: http.MethodPost, Path: path, Body: body})
		if err == nil && into != nil {
			return answer.Decode(into)
		}
		var refused *cli.Failure
		if err == nil || !errors.As(err, &refused) || refused.Exit != cli.ExitUnavailable || try == 3 {
			return err
		}
		select {
		case <-s.t.Context().Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// bodyOf is an object as people send it: without a status.
func bodyOf(o client.Object) (map[string]any, error) {
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	body := map[string]any{}
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, err
	}
	delete(body, "status")
	unstructured.RemoveNestedField(body, "metadata", "creationTimestamp")
	return body, nil
}

func (s *scene) file(name string, content []byte) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	must(s.t, os.WriteFile(path, content, 0o600))
	return path
}

// make creates an object that describes the bank; policies of a hub that was set up a
// moment ago begin to work by and by.
func (s *scene) make(o client.Object) {
	s.t.Helper()
	must(s.t, s.trying("describe "+o.GetName(), func() error {
		if err := s.own.Create(s.t.Context(), o); !apierrors.IsAlreadyExists(err) {
			return err
		}
		return nil
	}))
}

func (s *scene) say(format string, args ...any) {
	s.t.Helper()
	s.t.Logf("%6s  %s", time.Since(s.began).Round(time.Second/10), fmt.Sprintf(format, args...))
}

// answers asks a server whether it is ready.
func answers(url string, authority []byte) func(context.Context) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	asks := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := asks.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close() //nolint:errcheck // only read
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered %s", url, response.Status)
		}
		return nil
	}
}

func free(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close() //nolint:errcheck // its address is all that is wanted
	return l.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lastLines(path string, n int) string {
	content, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
