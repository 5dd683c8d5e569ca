// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package measure_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/profile"
	"github.com/fairway-cloud/fairway/internal/placement/profile/measure"
)

// within bounds the questions of these tests; each has to end in a few times as much.
const within = 2 * time.Second

// asked asks what answers at url.
func asked(t *testing.T, url string) (float64, error) {
	t.Helper()
	sources, err := measure.ReadConfig(config(t, url, ", networks: [127.0.0.0/8]", nil))
	if err != nil {
		t.Fatal(err)
	}
	s := sources[0]
	if s.Within != 10*time.Second {
		t.Errorf("a question may take %s, and 10 s are documented", s.Within)
	}
	s.Within = within
	begun := time.Now()
	numbers, err := s.Ask(t.Context(), "vector(1)", begun)
	if took := time.Since(begun); took > 20*within {
		t.Errorf("the question took %s, and has %s", took, within)
	}
	if err != nil {
		return 0, err
	}
	return profile.Number(numbers)
}

// TestNobodySpeaks asks what accepts the connection and never says a word.
func TestNobodySpeaks(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			connection, err := silent.Accept()
			if err != nil {
				return
			}
			// It reads what it is asked, so that nothing fails on the way there.
			go func() { _, _ = io.Copy(io.Discard, connection); _ = connection.Close() }()
		}
	}()
	t.Cleanup(func() { _ = silent.Close(); <-ended })
	_, err = asked(t, "http://"+silent.Addr().String())
	if !errors.Is(err, measure.ErrAway) || err.Error() != `prometheus "central": no answer comes from Prometheus within 2s` {
		t.Errorf("%v", err)
	}
}

// TestARoundIsBounded measures sixty applications by a Prometheus that hangs: after a few
// questions it is left alone, the round ends, the rule says why, and another round asks again.
func TestARoundIsBounded(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	sources, err := measure.ReadConfig(config(t, server.URL, ", networks: [127.0.0.0/8]", nil))
	if err != nil {
		t.Fatal(err)
	}
	sources[0].Within = within
	scheme := runtime.NewScheme()
	if err := placementv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	rule := &placementv1.TagRule{ObjectMeta: metav1.ObjectMeta{Name: "disk"}, Spec: placementv1.TagRuleSpec{Tag: "io-heavy", Query: `sum(writes{namespace="$namespace"})`, Enter: "100", Interval: &metav1.Duration{Duration: 15 * time.Second}}}
	hub := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&placementv1.TagRule{}).WithObjects(rule)
	clock := clocktesting.NewFakeClock(time.Now())
	for i := range 60 {
		p := &placementv1.Placement{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: fmt.Sprintf("app-%d-1", i)}}
		p.Spec.Application, p.Status.Release = fmt.Sprintf("app-%d", i), "one"
		p.Spec.Assignments = []placementv1.Assignment{{Component: "web", Cell: placementv1.Cell{Cluster: "east-1"}, Seats: []int32{0}}}
		hub.WithObjects(p)
	}
	client := hub.Build()
	meter := measure.New(client, sources, clock, logr.Discard())
	for round := range 2 {
		asked.Store(0)
		begun := time.Now()
		if err := meter.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 20*within {
			t.Errorf("round %d took %s", round, took)
		}
		// Eight are under way at a time, and three without an answer are enough.
		if n := asked.Load(); n < 3 || n > 16 {
			t.Errorf("round %d asked %d times", round, n)
		}
		clock.Step(15 * time.Second)
	}
	if err := client.Get(t.Context(), types.NamespacedName{Name: "disk"}, rule); err != nil {
		t.Fatal(err)
	}
	if c := meta.FindStatusCondition(rule.Status.Conditions, placementv1.ConditionProfileReady); c == nil || c.Reason != placementv1.ReasonUnanswered || !strings.Contains(c.Message, "tags stay as they are") {
		t.Errorf("%+v", rule.Status.Conditions)
	}
}

// bomb is an answer of some KiB that unfolds to 64 MiB.
func bomb(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	packer := gzip.NewWriter(&out)
	for range 64 {
		if _, err := packer.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := packer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestAnswersThatAreNone asks what answers too slowly, breaks off, or says what cannot be
// read: each question ends in time, with a reason, and none gives a number.
func TestAnswersThatAreNone(t *testing.T) {
	packed := bomb(t)
	text := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	vector := func(sample string) http.HandlerFunc {
		return text(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":` + sample + `}]}}`)
	}
	const silent = `prometheus "central": its answer cannot be read`
	const unread = `prometheus "central": it answered with an error (bad_response)`
	const large = `prometheus "central": its answer is larger than 256 KiB: have the query give one number`
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string // how the error begins
		away   bool
	}{
		"no head": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, `prometheus "central": no answer comes from Prometheus within 2s`, true},
		"no body": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, `prometheus "central": no answer comes from Prometheus within 2s`, true},
		"byte by byte": {func(w http.ResponseWriter, r *http.Request) {
			ticks := time.NewTicker(within / 10)
			defer ticks.Stop()
			for {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				select {
				case <-ticks.C:
				case <-r.Context().Done():
					return
				}
			}
		}, `prometheus "central": no answer comes from Prometheus within 2s`, true},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}`)
		}, `prometheus "central": its answer cannot be read`, false},
		"cut off while it flows": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"scalar","result":[1,"7"]`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, `prometheus "central": its answer cannot be read`, false},
		"nothing":         {text(""), unread, false},
		"null":            {text("null"), silent, false},
		"a list":          {text("[]"), unread, false},
		"half":            {text(`{"status":"success","data":{"resultType":"vector","result":[`), unread, false},
		"other type":      {text(`{"status":"success","data":{"resultType":"streams","result":[]}}`), unread, false},
		"no type":         {text(`{"status":"success"}`), silent, false},
		"text for number": {vector(`[1,"many"]`), unread, false},
		"no value":        {vector(`[]`), silent, false},
		"no scalar":       {text(`{"status":"success","data":{"resultType":"scalar","result":[]}}`), unread, false},
		"time for value":  {vector(`["7"]`), unread, false},
		"deep":            {text(strings.Repeat(`{"data":`, 20_000)), unread, false},
		"NaN":             {vector(`[1,"NaN"]`), "the answer is no number (NaN)", false},
		"infinite":        {vector(`[1,"-Inf"]`), "the answer is infinite", false},
		"too many":        {vector(`[1,"1"]},{"metric":{},"value":[1,"2"]`), "the answer has 2 series", false},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[`)
			for i := range 1 << 20 {
				if _, err := fmt.Fprintf(w, `{"metric":{"n":"%d"},"value":[1,"1"]},`, i); err != nil {
					return
				}
			}
		}, large, false},
		"packed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed)
		}, unread, false}, // it is not unfolded
		"a huge fault": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"status":"error","errorType":"bad_data","error":"`+strings.Repeat("x", 1<<20)+`"}`)
		}, large, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				// Only who has read the question notices that nobody waits for the answer any more.
				_, _ = io.Copy(io.Discard, r.Body)
				c.answer(w, r)
			}))
			t.Cleanup(server.Close)
			got, err := asked(t, server.URL)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || errors.Is(err, measure.ErrAway) != c.away {
				t.Errorf("want %q, got %v, %v", c.want, got, err)
			}
		})
	}
}
