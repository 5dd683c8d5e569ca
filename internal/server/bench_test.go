// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/readmodel"
	"github.com/fairway-cloud/fairway/internal/server"
)

// everything lets everybody see everything.
type everything struct{}

func (everything) May(context.Context, identity.Person, server.Question) (bool, error) {
	return true, nil
}

// BenchmarkListInstances asks for a page of 100 among 50,000 instances over HTTP
// and reports the 95th percentile and the size of a page. "floor" answers a page
// of the same size from memory over the same HTTP.
func BenchmarkListInstances(b *testing.B) {
	store, err := readmodel.Open(context.Background(), b.TempDir()+"/readmodel.db")
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	var all []delivery.Instance
	for n := range 50000 {
		all = append(all, seat(fmt.Sprintf("t%d-prod", n%50), "pay", "account", fmt.Sprint(n), "east-1"))
	}
	if err := store.Replace(context.Background(), "east-1", all); err != nil {
		b.Fatal(err)
	}
	caller, err := server.NewHub(&rest.Config{Host: "http://127.0.0.1:1"})
	if err != nil {
		b.Fatal(err)
	}
	api, err := server.New(server.Config{
		Kinds: kinds(b), Version: "bench", Hub: caller, Lister: fake.NewClientBuilder().Build(), Authority: everything{},
		Identity: &people{known: map[string]identity.Person{adminToken: {ID: "sandbox-admin"}}}, Gate: &gate{}, Recorder: &memory{},
		Instances: store, Members: nowhere{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	handler, err := api.Handler()
	if err != nil {
		b.Fatal(err)
	}
	listener := httptest.NewServer(handler)
	defer listener.Close()
	const page = 36 << 10
	floor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, page)) }))
	defer floor.Close()
	for _, c := range []struct{ name, url string }{
		{"first", listener.URL + "/api/v1/delivery/instances?limit=100"},
		{"sorted", listener.URL + "/api/v1/delivery/instances?limit=100&sort=-createdAt"},
		{"filtered", listener.URL + "/api/v1/delivery/instances?limit=100&namespace=t7-prod&state=Running"},
		{"floor", floor.URL},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			size := 0
			for b.Loop() {
				request, err := http.NewRequest(http.MethodGet, c.url, nil)
				if err != nil {
					b.Fatal(err)
				}
				request.Header.Set("Authorization", "Bearer "+adminToken)
				began := time.Now()
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					b.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != http.StatusOK {
					b.Fatal(response.Status, err)
				}
				took, size = append(took, time.Since(began)), len(body)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
			b.ReportMetric(float64(size), "page-bytes")
		})
	}
}
