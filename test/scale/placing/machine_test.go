// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placing

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/client-go/kubernetes"

	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// usage is what processes took.
type usage struct {
	// cpu in seconds.
	cpu float64
	// memory is the most that was resident, in MiB, of all of them together.
	memory int64
	number int
}

// used is what the processes of the run have taken so far, by what they are.
func (s *scene) used() map[string]usage {
	commands, cpu := map[string]string{}, map[string]float64{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		pid := filepath.Base(filepath.Dir(path))
		if len(fields) < 13 || fields[1] != strconv.Itoa(os.Getpid()) && pid != strconv.Itoa(os.Getpid()) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		user, _ := strconv.ParseFloat(fields[11], 64)
		system, _ := strconv.ParseFloat(fields[12], 64)
		commands[pid], cpu[pid] = string(bytes.ReplaceAll(command, []byte{0}, []byte(" "))), (user+system)/100
	}
	// The hub's processes share a folder, which its API server at its port names.
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.Hub.Config().Host, "https://"))
	folder := ""
	for _, command := range commands {
		if strings.Contains(command, " --secure-port="+port+" ") {
			folder = ofKubetest.FindString(command)
		}
	}
	out := map[string]usage{}
	for pid, command := range commands {
		what := s.processOf(pid, command, folder)
		now := out[what]
		out[what] = usage{now.cpu + cpu[pid], now.memory + residentMost(pid), now.number + 1}
	}
	return out
}

var ofKubetest = regexp.MustCompile(`/kubetest-[0-9]+/`)

func (s *scene) processOf(pid, command, hub string) string {
	hubs := hub != "" && strings.Contains(command, hub)
	switch {
	case pid == strconv.Itoa(os.Getpid()):
		return "this test, its callers and its registry"
	case pid == strconv.Itoa(s.Process.PID()):
		return "fairway server"
	case strings.Contains(command, " kube-apiserver ") && hubs:
		return "hub's API server"
	case strings.Contains(command, " kube-apiserver "):
		return "members' API servers"
	case strings.Contains(command, " etcd ") && hubs:
		return "hub's etcd"
	case strings.Contains(command, " etcd "):
		return "members' etcd"
	case strings.Contains(command, " kwok "):
		return "members' simulators"
	}
	return "others"
}

// residentMost is the most memory that a process ever had resident, in MiB.
func residentMost(pid string) int64 {
	status, _ := os.ReadFile(filepath.Join("/proc", pid, "status"))
	for line := range strings.Lines(string(status)) {
		if v, is := strings.CutPrefix(line, "VmHWM:"); is {
			kib, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return kib >> 10
		}
	}
	return 0
}

// requests counts what the hub has been asked so far, by verb and kind.
func (s *scene) requests() map[string]float64 {
	s.t.Helper()
	api, err := kubernetes.NewForConfig(s.Hub.Config())
	stage.Must(s.t, err)
	text, err := api.RESTClient().Get().AbsPath("/metrics").DoRaw(context.WithoutCancel(s.t.Context()))
	stage.Must(s.t, err)
	out := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		labels, is := strings.CutPrefix(lines.Text(), "apiserver_request_total{")
		if !is {
			continue
		}
		labels, value, _ := strings.Cut(labels, "} ")
		n, _ := strconv.ParseFloat(value, 64)
		verb, resource, sub := labelOf(labels, "verb"), labelOf(labels, "resource"), labelOf(labels, "subresource")
		if sub != "" {
			resource += "/" + sub
		}
		if code := labelOf(labels, "code"); code >= "400" {
			resource += " (" + code + ")"
		}
		out[verb+" "+resource] += n
	}
	return out
}

func labelOf(labels, name string) string {
	_, rest, _ := strings.Cut(","+labels, ","+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// perApplication are the kinds of requests of which there were most for each application.
func perApplication(before, after map[string]float64, applications int) (total float64, most []string) {
	each := map[string]float64{}
	for what, n := range after {
		if n -= before[what]; n > 0 {
			each[what] = n / float64(applications)
			total += each[what]
		}
	}
	for _, what := range slices.SortedFunc(maps.Keys(each), func(a, b string) int { return cmp.Or(cmp.Compare(each[b], each[a]), cmp.Compare(a, b)) }) {
		if each[what] >= 0.1 {
			most = append(most, fmt.Sprintf("%5.1f  %s", each[what], what))
		}
	}
	return total, most
}

// loadNow are the machine's load averages.
func loadNow() string {
	text, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
