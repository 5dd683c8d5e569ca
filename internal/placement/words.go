// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
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
