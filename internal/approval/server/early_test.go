// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/server"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/admission"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

const hookToken = "a-token-of-at-least-thirty-two-characters"

// sight says that everybody sees requests, or nobody.
type sight struct{ blind atomic.Bool }

func (s *sight) MayRead(context.Context, identity.Person, string) (bool, error) {
	return !s.blind.Load(), nil
}

// asked has the hub ask the desk about decisions.
func asked(t *testing.T, o *office) *httptest.Server {
	t.Helper()
	authority, err := pki.New("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(pki.Request{CommonName: "fairway", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewUnstartedServer(&admission.Door{Path: server.HookPath, Token: hookToken, Judge: o.desk.Judge(slog.New(slog.DiscardHandler))})
	listener.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	listener.StartTLS()
	t.Cleanup(listener.Close)
	configuration := admission.Configuration(admission.Server{URL: listener.URL, Token: hookToken, CA: authority.CertPEM()}, server.Matter())
	if err := hub.Client().Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	nonsense := o.Decision("dev", &approvalv1.ApprovalRequest{}, approvalv1.VerdictApprove, func(s *approvalv1.DecisionSpec) { s.Request, s.Digest = "nothing-1", "sha256:0" })
	nonsense.GenerateName = "nothing-1-"
	proven := func() *approvalv1.Decision {
		d := nonsense.DeepCopy()
		o.Prove("dev", d)
		return d
	}
	last := proven()
	t.Cleanup(func() {
		if err := hub.Client().Delete(context.Background(), configuration); err != nil {
			t.Error(err)
		}
		for deadline := time.Now().Add(20 * time.Second); o.As("dev").Create(context.Background(), last.DeepCopy()) != nil; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the hub goes on asking")
			}
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // the hub takes a moment until it asks
		err := o.As("dev").Create(t.Context(), proven())
		if err != nil && strings.Contains(err.Error(), "there is no approval request") {
			return listener
		}
		if time.Now().After(deadline) {
			t.Fatalf("the hub does not ask: %v", err)
		}
	}
}

// waysIn are the ways in which somebody makes a decision on the hub without the API.
var waysIn = map[string]func(t *testing.T, config *rest.Config, d *approvalv1.Decision) error{
	"as JSON": func(t *testing.T, config *rest.Config, d *approvalv1.Decision) error {
		return post(t, config, d, "application/json")
	},
	"as YAML": func(t *testing.T, config *rest.Config, d *approvalv1.Decision) error {
		return post(t, config, d, "application/yaml")
	},
	"by applying it": func(t *testing.T, config *rest.Config, d *approvalv1.Decision) error {
		raw := written(t, d)
		c, err := dynamic.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Resource(approvalv1.GroupVersion.WithResource("decisions")).Namespace(d.Namespace).Patch(t.Context(), d.Name, types.ApplyPatchType, raw, metav1.PatchOptions{FieldManager: "kubectl"})
		return err
	},
}

// A decision that would not count is refused by the hub itself, however it is made and
// whoever makes it; one that counts is taken; and none is while nobody can say.
func TestTheHubAsksTheDesk(t *testing.T) {
	o := open(t)
	o.Joint()
	sees := &sight{}
	o.desk.Authority = sees
	q := o.Ask(o.Release("asked"))
	listener := asked(t, o)
	for way, in := range waysIn {
		for who, says := range map[string]string{"dev": "is a maker of it", "ops": "asked for it", "verifier": "belongs to no party"} {
			if way == "by applying it" {
				says = "cannot patch resource" // no role applies decisions: RBAC refuses it before anybody is asked
			}
			d := o.Decision(who, q, approvalv1.VerdictApprove)
			d.Name, d.GenerateName = strings.ReplaceAll(strings.ToLower(way), " ", "-")+"-"+who, ""
			o.Prove(who, d)
			if err := in(t, o.Config(who), d); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s %s: want %q, got %v", who, way, says, err)
			}
		}
		admin := o.Decision("biz", q, approvalv1.VerdictApprove, func(s *approvalv1.DecisionSpec) { s.Author, s.Groups, s.Session, s.Proof = "", nil, "", "v1.forged" })
		admin.Name, admin.GenerateName = strings.ReplaceAll(strings.ToLower(way), " ", "-")+"-admin", ""
		if err := in(t, hub.Config(), admin); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "log in and decide there") {
			t.Errorf("a cluster administrator %s: %v", way, err)
		}
	}
	forged := o.Decision("biz", q, approvalv1.VerdictApprove, func(s *approvalv1.DecisionSpec) { s.Proof = "v1.forged" })
	if err := o.As("biz").Create(t.Context(), forged); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "server") {
		t.Errorf("an approver past the server, with a proof of his own: %v", err)
	}
	sees.blind.Store(true)
	unseen := o.Decision("dev", q, approvalv1.VerdictApprove)
	o.Prove("dev", unseen)
	if err := o.As("dev").Create(t.Context(), unseen); err != nil {
		t.Errorf("whoever sees no requests learns nothing of them, and the Gate counts nothing of it: %v", err)
	}
	sees.blind.Store(false)
	o.Decide("biz", q, approvalv1.VerdictApprove)
	o.Decide("tech", q, approvalv1.VerdictApprove)
	if got := o.Report(q); len(got.Status.Conditions) == 0 || got.Status.Conditions[0].Status != "True" {
		t.Errorf("what counts is taken: %+v", got.Status.Conditions)
	}

	people := o.Cases.People
	o.Cases.People = func(context.Context) (approval.People, error) { return nil, errors.New("away") }
	late := o.Decision("chief", q, approvalv1.VerdictReject)
	o.Prove("chief", late)
	if err := o.As("chief").Create(t.Context(), late.DeepCopy()); err == nil || !strings.Contains(err.Error(), "could not find out whether the decision would count") {
		t.Errorf("while nobody can say, nothing is taken: %v", err)
	}
	o.Cases.People = people
	listener.Close()
	if err := o.As("chief").Create(t.Context(), late.DeepCopy()); err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
		t.Errorf("nor while nobody answers: %v", err)
	}
}

// written is a decision as kubectl sends it.
func written(t *testing.T, d *approvalv1.Decision) []byte {
	t.Helper()
	d = d.DeepCopy()
	d.APIVersion, d.Kind = approvalv1.GroupVersion.String(), "Decision"
	raw, err := yaml.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	// What is left out the hub fills in.
	return bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("  author: \"\"\n"), nil), []byte("  creationTimestamp: null\n"), nil)
}

func post(t *testing.T, config *rest.Config, d *approvalv1.Decision, media string) error {
	t.Helper()
	raw := written(t, d)
	if media == "application/json" {
		var err error
		if raw, err = yaml.YAMLToJSON(raw); err != nil {
			t.Fatal(err)
		}
	}
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	made, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return made.Post().AbsPath("/apis", approvalv1.GroupVersion.String(), "namespaces", d.Namespace, "decisions").SetHeader("Content-Type", media).Body(raw).Do(t.Context()).Error()
}
