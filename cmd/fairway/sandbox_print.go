// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/fairway-cloud/fairway/internal/sandbox/control"
)

// printStatus is the status for people.
func printStatus(w io.Writer, status *control.Status) {
	_, _ = fmt.Fprintf(w, "sandbox %s: %s", status.Name, status.State)
	if status.Message != "" {
		_, _ = fmt.Fprintf(w, " (%s)", status.Message)
	}
	_, _ = fmt.Fprintln(w)
	for _, line := range status.Missing {
		_, _ = fmt.Fprintln(w, "left out:", line)
	}
	if status.MemoryBytes > 0 {
		_, _ = fmt.Fprintf(w, "memory %.2f GiB, processor time %.0f s\n", float64(status.MemoryBytes)/(1<<30), status.CPUSeconds)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(status.Hosts) > 0 {
		_, _ = fmt.Fprintln(table, "\nHOST\tKIND\tCLUSTER\tDATA CENTRE\tRACK\tIP\tSTATE")
		for _, h := range status.Hosts {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", h.Name, h.Kind, dash(h.Cluster), h.DataCenter, h.Rack, h.IP, h.State)
		}
	}
	if len(status.Components) > 0 {
		_, _ = fmt.Fprintln(table, "\nCOMPONENT\tSTATE\tPID\tRESTARTS\tSINCE\tMEMORY\tMESSAGE")
		for _, c := range status.Components {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%d MiB\t%s\n", c.Name, c.State, c.PID, c.Restarts, time.Since(c.Since).Round(time.Second), c.MemoryBytes>>20, c.Message)
		}
	}
	_ = table.Flush()
	var cut []string
	for _, l := range status.Links {
		if l.Cut {
			cut = append(cut, l.String())
		}
	}
	if len(cut) > 0 {
		_, _ = fmt.Fprintln(w, "\ncut links:", strings.Join(cut, ", "))
	}
	if len(status.LostSites) > 0 {
		_, _ = fmt.Fprintln(w, "lost sites:", strings.Join(status.LostSites, ", "))
	}
	_, _ = fmt.Fprintln(w, "\nlogs:", status.LogDir)
	printURLs(w, status)
}

// printURLs names where to go next, one line each, the applications last.
func printURLs(w io.Writer, status *control.Status) {
	for _, line := range []struct{ what, url string }{{"API", status.API}, {"console", status.Console}} {
		if line.url != "" {
			_, _ = fmt.Fprintf(w, "%s: %s\n", line.what, line.url)
		}
	}
	for _, app := range status.Apps {
		_, _ = fmt.Fprintf(w, "%s in %s: %s\n", app.Application, app.DataCenter, app.URL)
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
