// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package rights

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// again is how often the hub is compared where no watch says that something changed.
	again = 30 * time.Second
	// settle is how long a change waits for those that come with it, such as the other
	// documents of one kubectl apply.
	settle = 100 * time.Millisecond
)

// Rights knows whether the hub's policies, definitions and rights are whole. Until
// it has looked for the first time they count as not whole.
type Rights struct {
	built Built
	cache cache.Cache
	log   *slog.Logger
	whole prometheus.Gauge
	ring  chan struct{}

	mu          sync.Mutex
	looked      bool
	failed      error
	differences []Difference
	since       time.Time
	unserved    map[string]bool
}

// Options are what Rights needs.
type Options struct {
	// Built is what has to hold (see Read).
	Built Built
	// Cache watches the hub.
	Cache cache.Cache
	// Log gets a line when it changes whether the hub is whole.
	Log *slog.Logger
	// Metrics where fairway_identity_policies_whole is registered. Nil: nowhere.
	Metrics prometheus.Registerer
}

// New makes Rights; Start has them looked at.
func New(o Options) (*Rights, error) {
	r := &Rights{built: o.Built, cache: o.Cache, log: o.Log, ring: make(chan struct{}, 1), unserved: map[string]bool{}}
	r.whole = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "fairway_identity_policies_whole", Help: "1 while the hub's admission policies, definitions and rights are those that this server was built with; production acts are refused otherwise.",
	})
	if o.Metrics != nil {
		var there prometheus.AlreadyRegisteredError
		err := o.Metrics.Register(r.whole)
		if errors.As(err, &there) { // a server before this one in the same process
			r.whole, err = there.ExistingCollector.(prometheus.Gauge), nil //nolint:forcetypeassert // it is ours
		}
		if err != nil {
			return nil, fmt.Errorf("could not register a metric: %w", err)
		}
	}
	return r, nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica
// refuses for itself.
func (*Rights) NeedLeaderElection() bool { return false }

// Start watches and compares until ctx ends.
func (r *Rights) Start(ctx context.Context) error {
	for kind, gvk := range gvks {
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(gvk)
		informer, err := r.cache.GetInformer(ctx, o, cache.BlockUntilSynced(false))
		if meta.IsNoMatchError(err) && (kind == mutatingPolicy || kind == mutatingBinding) {
			r.unserved[kind] = true // before Kubernetes 1.36
			continue
		}
		if err != nil {
			return fmt.Errorf("could not watch the %s of the hub: %w", kind, err)
		}
		if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { r.wake() }, DeleteFunc: func(any) { r.wake() },
			UpdateFunc: func(before, after any) {
				b, okB := before.(client.Object)
				a, okA := after.(client.Object)
				if !okA || !okB || a.GetResourceVersion() != b.GetResourceVersion() {
					r.wake()
				}
			},
		}); err != nil {
			return fmt.Errorf("could not watch the %s of the hub: %w", kind, err)
		}
	}
	if !r.cache.WaitForCacheSync(ctx) {
		return nil // the server stops
	}
	ticker := time.NewTicker(again)
	defer ticker.Stop()
	for {
		r.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-r.ring:
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(settle):
			}
		}
	}
}

func (r *Rights) wake() {
	select {
	case r.ring <- struct{}{}:
	default:
	}
}

// look compares once.
func (r *Rights) look(ctx context.Context) {
	var has []unstructured.Unstructured
	var failed error
	for kind, gvk := range gvks {
		if r.unserved[kind] {
			continue
		}
		list := &unstructured.UnstructuredList{}
		gvk.Kind += "List"
		list.SetGroupVersionKind(gvk)
		if err := r.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			failed = fmt.Errorf("could not list the %s of the hub: %w", kind, err)
			break
		}
		has = append(has, list.Items...)
	}
	if ctx.Err() != nil {
		return
	}
	var differences []Difference
	if failed == nil {
		differences = r.built.Compare(has, func(kind string) bool { return !r.unserved[kind] })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := !r.looked || (failed == nil) != (r.failed == nil) || !slices.Equal(differences, r.differences)
	r.looked, r.failed, r.differences = true, failed, differences
	if !changed {
		return
	}
	r.since = time.Now()
	switch {
	case failed != nil:
		r.whole.Set(0)
		r.log.Error("could not compare the hub's policies: production acts are refused", "cause", failed.Error())
	case len(differences) > 0:
		r.whole.Set(0)
		r.log.Error("the hub's policies are not those that this server was built with: production acts are refused", "differences", len(differences), "first", told(differences))
	default:
		r.whole.Set(1)
		r.log.Info("the hub's policies, definitions and rights are whole")
	}
}

// State is whether the hub is whole, and if not, why.
type State struct {
	// Whole says that nothing differs.
	Whole bool
	// Unknown says that it could not be found out.
	Unknown bool
	// Since when it is as it is. Zero: nobody has looked yet.
	Since time.Time
	// Reason says what is wrong and what to do. Empty: nothing.
	Reason string
	// Differences found, sorted.
	Differences []Difference
}

// State says whether the hub is whole now.
func (r *Rights) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := State{Since: r.since, Differences: slices.Clone(r.differences)}
	switch {
	case !r.looked:
		s.Unknown, s.Reason = true, "the hub's policies were not compared yet: try again in a few seconds"
	case r.failed != nil:
		s.Unknown, s.Reason = true, "the hub's policies could not be compared: try again in a few seconds"
	case len(r.differences) > 0:
		s.Reason = fmt.Sprintf("the hub's policies are not those that this server was built with: %s; whoever keeps the hub applies config/crd, config/rbac and config/admission of this version again", told(r.differences))
	default:
		s.Whole = true
	}
	return s
}

// most is how many differences a reason tells.
const most = 3

func told(differences []Difference) string {
	var words []string
	for i, d := range differences {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(differences)-most))
			break
		}
		words = append(words, d.String())
	}
	return strings.Join(words, "; ")
}
