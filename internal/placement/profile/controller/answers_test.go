// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/profile/measure"
	"github.com/fairway-cloud/fairway/internal/platform/metricstest"
)

// TestABadAnswerTakesNothingAway has a Prometheus that gave a good answer give a bad one from
// then on: the last known good holds, is marked old and then stale, and the rule says why.
func TestABadAnswerTakesNothingAway(t *testing.T) {
	number := func(value string) string {
		return fmt.Sprintf(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,%q]}]}}`, time.Now().Unix(), value)
	}
	for name, bad := range map[string]func(w http.ResponseWriter, r *http.Request){
		"Hangs":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"NaN":     func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, number("NaN")) },
		"Nothing": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":"success"}`) },
		"NoNumber": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Replace(number("1"), `"1"`, `{}`, 1))
		},
		"Empty": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
		},
		"Truncated": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, number("1")[:40]) },
	} {
		t.Run(name, func(t *testing.T) {
			var broken atomic.Bool
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if broken.Load() {
					bad(w, r)
					return
				}
				_, _ = io.WriteString(w, number("500"))
			}))
			t.Cleanup(server.Close)
			file := filepath.Join(t.TempDir(), "prometheus.yaml")
			if err := os.WriteFile(file, []byte("prometheus:\n- {name: test, url: "+server.URL+"}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			sources, err := measure.ReadConfig(file)
			if err != nil {
				t.Fatal(err)
			}
			sources[0].Within = 200 * time.Millisecond
			b := newBench(t, sources...)
			rule := "answers-" + strings.ToLower(name)
			b.rule(rule, disk)
			for range 4 {
				b.round()
			}
			all := []string{"Combined", "channel io-heavy Measured Fresh Overruled", "ledger io-heavy Measured Fresh Counts", "ledger latency-sensitive Spec  Counts"}
			b.want("both are heavy", all...)
			broken.Store(true)
			b.round()
			b.want("one bad answer is no news", all...)
			for range 3 {
				b.round()
			}
			b.want("the last known good is marked old", "OldMeasurements", "channel io-heavy Measured Old Overruled", "ledger io-heavy Measured Old Counts", all[3])
			if got := b.ruleIs(rule); got != "False Unanswered" {
				t.Errorf("the rule: %s", got)
			}
			for range 6 {
				b.round()
			}
			b.want("and stale, and it still counts", "OldMeasurements", "channel io-heavy Measured Stale Overruled", "ledger io-heavy Measured Stale Counts", all[3])
			told := metricstest.Of(t, b.meter.Metrics())
			const asked, at = "fairway_placement_tag_rule_questions_total ", "fairway_placement_tag_rule_answered_timestamp_seconds "
			lastGood := float64(b.clock.Now().Add(-10*15*time.Second).UnixMilli()) / 1000
			if got := metricstest.Read(t, told); got[asked+"answered "+rule] != 8 || got[asked+"failed "+rule] != 20 || got[at+rule] != lastGood {
				t.Errorf("metrics: %v; last answered at %v", got, lastGood)
			}
			broken.Store(false)
			b.round()
			b.want("one good answer is enough to be sure again", all...)
			if got := metricstest.Read(t, told); got[asked+"answered "+rule] != 10 || got[at+rule] <= lastGood {
				t.Errorf("metrics: %v", got)
			}
			if err := hub.Client().Delete(t.Context(), &placementv1.TagRule{ObjectMeta: metav1.ObjectMeta{Name: rule}}); err != nil {
				t.Fatal(err)
			}
			b.round()
			if got := metricstest.Read(t, told); len(got) != 0 {
				t.Errorf("metrics of a rule that is gone: %v", got)
			}
		})
	}
}
