// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Command bench runs the benchmarks of the packages it is given, in rounds:
// every benchmark once, then every benchmark again. So what disturbs the
// machine for a while disturbs all alike. It prints a table in Markdown with
// the median, the fastest and the slowest round, and, for a benchmark with a
// sibling named "floor" in its own package, the median of the ratios to the
// floor of the same round.
//
//	go run ./hack/bench [-rounds 5] [-time 100ms] PACKAGE…
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 5, "how often every benchmark runs")
	length := flag.Duration("time", 100*time.Millisecond, "how long one run of one benchmark lasts at least")
	flag.Parse()
	if flag.NArg() == 0 || *rounds < 1 {
		fmt.Fprintln(os.Stderr, "usage: go run ./hack/bench [-rounds 5] [-time 100ms] PACKAGE…")
		os.Exit(2)
	}
	if err := run(*rounds, *length, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// series are the rounds of one benchmark.
type series struct {
	pkg, name string
	// nanoseconds, bytes and allocations of one operation, by round.
	nanoseconds, bytes, allocations []float64
}

func run(rounds int, length time.Duration, packages []string) error {
	folder, err := os.MkdirTemp("", "fairway-bench-")
	if err != nil {
		return fmt.Errorf("could not make a folder for the test binaries: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	binaries := map[string]string{}
	for i, pkg := range packages {
		binary := filepath.Join(folder, fmt.Sprintf("%d.test", i))
		if out, err := exec.Command("go", "test", "-c", "-o", binary, pkg).CombinedOutput(); err != nil {
			return fmt.Errorf("could not build the benchmarks of %q: %w\n%s", pkg, err, out)
		}
		binaries[pkg] = binary
	}
	var order []string
	all := map[string]*series{}
	cpu := time.Duration(0)
	began := time.Now()
	for round := range rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, rounds)
		for _, pkg := range packages {
			cmd := exec.Command(binaries[pkg], "-test.run=^$", "-test.bench=.", "-test.benchmem", "-test.benchtime="+length.String())
			cmd.Dir = pkg
			out, err := cmd.CombinedOutput()
			if err != nil {
				return fmt.Errorf("the benchmarks of %q failed: %w\n%s", pkg, err, out)
			}
			cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			for _, line := range parse(out) {
				key := pkg + " " + line.name
				if all[key] == nil {
					all[key] = &series{pkg: pkg, name: line.name}
					order = append(order, key)
				}
				s := all[key]
				s.nanoseconds = append(s.nanoseconds, line.values["ns/op"])
				s.bytes = append(s.bytes, line.values["B/op"])
				s.allocations = append(s.allocations, line.values["allocs/op"])
			}
		}
	}
	fmt.Printf("%d rounds, %s of CPU in %s, load %s\n\n", rounds, cpu.Round(time.Second), time.Since(began).Round(time.Second), load())
	fmt.Println("| Benchmark | Median | Fastest to slowest | × floor | Memory | Allocations |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, key := range order {
		s := all[key]
		ratio := ""
		if parent, leaf, ok := strings.Cut(s.name, "/"); ok && leaf != "floor" {
			if floor := all[s.pkg+" "+parent+"/floor"]; floor != nil {
				ratio = fmt.Sprintf("%.2f", ratios(s.nanoseconds, floor.nanoseconds))
			}
		}
		fmt.Printf("| %s %s | %s | %s to %s | %s | %.0f KiB | %.0f |\n", strings.TrimPrefix(s.pkg, "./internal/"), s.name,
			span(median(s.nanoseconds)), span(slices.Min(s.nanoseconds)), span(slices.Max(s.nanoseconds)), ratio, median(s.bytes)/1024, median(s.allocations))
	}
	return nil
}

// result is one line of a benchmark's output.
type result struct {
	name   string
	values map[string]float64
}

var processors = regexp.MustCompile(`-\d+$`)

// parse reads what the testing package prints of benchmarks.
func parse(out []byte) []result {
	var results []result
	for scanner := bufio.NewScanner(bytes.NewReader(out)); scanner.Scan(); {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		r := result{name: processors.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), ""), values: map[string]float64{}}
		for i := 2; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				r.values[fields[i+1]] = value
			}
		}
		if _, ok := r.values["ns/op"]; ok {
			results = append(results, r)
		}
	}
	return results
}

// ratios is the median of the ratios of each round.
func ratios(values, floors []float64) float64 {
	var out []float64
	for i := range min(len(values), len(floors)) {
		out = append(out, values[i]/floors[i])
	}
	return median(out)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func span(nanoseconds float64) string {
	switch {
	case nanoseconds < 1e3:
		return fmt.Sprintf("%.0f ns", nanoseconds)
	case nanoseconds < 1e6:
		return fmt.Sprintf("%.1f µs", nanoseconds/1e3)
	case nanoseconds < 1e9:
		return fmt.Sprintf("%.2f ms", nanoseconds/1e6)
	}
	return fmt.Sprintf("%.2f s", nanoseconds/1e9)
}

func load() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(content), " ")
	return one
}
