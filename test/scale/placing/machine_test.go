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
	me, _ := stage.ProcessOf(os.Getpid())
	processes, commands := append(stage.Children(), me), map[int]string{}
	for _, p := range processes {
		commands[p.PID] = p.Command()
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
	for _, p := range processes {
		what := s.processOf(p.PID, commands[p.PID], folder)
		now := out[what]
		out[what] = usage{now.cpu + p.CPU, now.memory + p.Resident(), now.number + 1}
	}
	return out
}

var ofKubetest = regexp.MustCompile(`/kubetest-[0-9]+/`)

func (s *scene) processOf(pid int, command, hub string) string {
	hubs := hub != "" && strings.Contains(command, hub)
	switch {
	case pid == os.Getpid():
		return "this test, its callers and its registry"
	case pid == s.Process.PID():
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
