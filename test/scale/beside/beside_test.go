// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package beside

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// throttle is what a client holds itself to, requests a second and at once.
type throttle struct {
	qps   float32
	burst int
}

// lifted holds nobody back.
var lifted = throttle{qps: 100000, burst: 100000}

// figures are what one run came to.
type figures struct {
	who string
	// decided of asked applications have their place, refused were told that there is none.
	asked, decided, refused int
	// took is from the first to the last of them.
	took time.Duration
	// p99 is of one application, from asking to its object being written; 0: not known.
	p99 time.Duration
	// cpu in seconds of whoever decides, server of the API server, and the most memory
	// that who decides had, in MiB.
	cpu, server float64
	memory      int64
	// bytes of an object as it is stored, on average.
	bytes int
	// over is how many instances were given away that no host has room for.
	over int
	// floor is how long the same objects take when they are only written; 0: not asked.
	floor time.Duration
}

func (f figures) rate() float64 { return float64(f.decided) / f.took.Seconds() }

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("could not read %s=%q: it is a number", name, text)
	}
	return n
}

// TestBesideKarmada has Karmada's scheduler and Fairway's Placer place as many applications as
// FAIRWAY_BESIDE_APPLICATIONS says, in turn, each as it is shipped and with its client's
// throttle lifted, in FAIRWAY_BESIDE_ROUNDS rounds (default 3); then both once with room for half of what is
// asked for. Without the first variable it is left out: Karmada's scheduler takes minutes to
// build. FAIRWAY_BESIDE_CALLERS (default 32, as the server has) is how many Releases ask the
// Placer at once.
func TestBesideKarmada(t *testing.T) {
	if os.Getenv("FAIRWAY_BESIDE_APPLICATIONS") == "" {
		t.Skip("FAIRWAY_BESIDE_APPLICATIONS says how many applications")
	}
	n, rounds, callers := number(t, "FAIRWAY_BESIDE_APPLICATIONS", 1000), number(t, "FAIRWAY_BESIDE_ROUNDS", 3), number(t, "FAIRWAY_BESIDE_CALLERS", 32)
	ctrllog.SetLogger(logr.Discard())
	box := build(t)
	of := map[string][]figures{}
	var all []figures
	measure := func(who string, run func(t *testing.T) figures) {
		t.Run(who, func(t *testing.T) {
			f := run(t)
			f.who = who
			of[who] = append(of[who], f)
			all = append(all, f)
			t.Logf("%d of %d in %s: %.1f/s, load %s", f.decided, f.asked, f.took.Round(time.Millisecond), f.rate(), load())
		})
	}
	enough, scarce := fleetFor(n, 150), fleetFor(n, 50)
	for range rounds {
		measure("Karmada as shipped", func(t *testing.T) figures { return karmada(t, box, enough, n, throttle{40, 60}) })
		measure("Fairway as shipped", func(t *testing.T) figures { return fairway(t, enough, n, callers, throttle{500, 1000}, true) })
		measure("Karmada lifted", func(t *testing.T) figures { return karmada(t, box, enough, n, lifted) })
		measure("Fairway lifted", func(t *testing.T) figures { return fairway(t, enough, n, callers, lifted, false) })
	}
	measure("Karmada lifted, room for half", func(t *testing.T) figures { return karmada(t, box, scarce, n, lifted) })
	measure("Fairway lifted, room for half", func(t *testing.T) figures { return fairway(t, scarce, n, n, lifted, false) })
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, f := range all {
		_, _ = fmt.Fprintf(table, "%s\t%.1f/s\t%d placed, %d refused of %d\tp99 %s\t%.2f s of CPU, API server %.2f s\t%d MiB\t%d bytes each\t%d instances without room\tfloor %s\n",
			f.who, f.rate(), f.decided, f.refused, f.asked, f.p99.Round(time.Millisecond), f.cpu, f.server, f.memory, f.bytes, f.over, f.floor.Round(time.Millisecond))
	}
	ratio := func(a, b string) {
		var r []float64
		for i := range min(len(of[a]), len(of[b])) {
			r = append(r, of[a][i].rate()/of[b][i].rate())
		}
		if slices.Sort(r); len(r) > 0 {
			_, _ = fmt.Fprintf(table, "%s : %s\t%.1f ×\t%.1f to %.1f\n", a, b, r[len(r)/2], r[0], r[len(r)-1])
		}
	}
	ratio("Fairway as shipped", "Karmada as shipped")
	ratio("Fairway lifted", "Karmada lifted")
	ratio("Fairway as shipped", "Karmada lifted")
	_ = table.Flush()
	t.Logf("summary, load %s\n%s", load(), text.String())
}

// TestABurstFindsRoomForHalf has eighty applications ask at once for twice the room there is:
// what is placed has room on its hosts, and the rest is refused.
func TestABurstFindsRoomForHalf(t *testing.T) {
	const n = 80
	room := fleetFor(n, 50)
	f := fairway(t, room, n, n, lifted, false)
	if f.over > 0 || f.decided+f.refused != n || f.decided == 0 || f.refused == 0 {
		t.Errorf("%d placed, %d refused of %d, %d instances without room on %d places", f.decided, f.refused, n, f.over, room.holds())
	}
}

func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.SortFunc(all, cmp.Compare[time.Duration])
	return all[min(len(all)-1, int(q*float64(len(all))))]
}
