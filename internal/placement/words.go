// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// words says the positive parts of an amount: "2 CPU, 1.5 GiB and 3 instances".
func (a Amount) words() string {
	var parts []string
	if a.CPU > 0 {
		parts = append(parts, decimal(float64(a.CPU)/1000)+" CPU")
	}
	if a.Memory > 0 {
		parts = append(parts, memory(a.Memory))
	}
	if a.Instances > 0 {
		parts = append(parts, instances(a.Instances))
	}
	return list(parts)
}

func list(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

func memory(bytes int64) string {
	if bytes >= 1<<30 {
		return decimal(float64(bytes)/(1<<30)) + " GiB"
	}
	return decimal(float64(bytes)/(1<<20)) + " MiB"
}

func decimal(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(f, 'f', 2, 64), "0"), ".")
}

func instances(n int64) string {
	if n == 1 {
		return "1 instance"
	}
	return fmt.Sprintf("%d instances", n)
}

func hostsMore(n int64) string {
	if n == 1 {
		return "one host more would do"
	}
	return fmt.Sprintf("%d hosts more would do", n)
}

// some are so many of a list at most, and how many more there are of what they are.
func some(all []string, most int, what string) []string {
	more := len(all) - most
	switch {
	case more <= 0:
		return all
	case more > 1:
		what += "s"
	}
	return append(slices.Clone(all[:most]), fmt.Sprintf("and %d %s more", more, what))
}

// racksCalled names racks: "rack a", "racks a and b", or "racks a, b and 4 more" with more names.
func racksCalled(names []string) string {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) == 1 {
		return "rack " + names[0]
	}
	if more := len(names) - mostTold; more > 0 {
		names = append(names[:mostTold], fmt.Sprintf("%d more", more))
	}
	return "racks " + list(names)
}
