// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package throughput has kube-scheduler's own benchmark (scheduler_perf) measure it on the
// fleet that Fairway's benchmark AsKube places into: 5,000 nodes of two sites, 10,000 pods in
// four sizes. The API server, the store and what watches for bindings are the library's.
package throughput

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/component-base/logs/json/register" // a log format that the library offers
	perf "k8s.io/kubernetes/test/integration/scheduler_perf"
)

const (
	nodes = 5000
	pods  = 10000
	sites = 2
	sizes = 4
)

// TestMain runs the benchmark, or etcd: the library starts a program of that name, which
// this one is when it is called so.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "etcd" {
		etcdmain.Main(os.Args)
		return
	}
	os.Exit(withEtcd(m))
}

func withEtcd(m *testing.M) int {
	self, err := os.Executable()
	if err != nil {
		return failed(err)
	}
	dir, err := os.MkdirTemp("", "throughput-")
	if err != nil {
		return failed(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Symlink(self, filepath.Join(dir, "etcd")); err != nil {
		return failed(err)
	}
	if err := os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		return failed(err)
	}
	if err := perf.InitTests(); err != nil {
		return failed(err)
	}
	return m.Run()
}

func failed(err error) int {
	_, _ = fmt.Fprintln(os.Stderr, "could not prepare kube-scheduler's benchmark:", err)
	return 1
}

// BenchmarkPerf is one workload of kube-scheduler's own benchmark. It reports the library's
// figures; the library lifts the client's throttles by itself.
func BenchmarkPerf(b *testing.B) {
	dir := b.TempDir()
	write := func(name, text string) string {
		b.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		return path
	}
	var config, namespaces strings.Builder
	fmt.Fprintf(&config, `
- name: Fairway
  schedulerConfigPath: %s
  workloads:
  - name: 5000Nodes_10000Pods
    labels: [performance]
    params: {nodes: %d}
  workloadTemplate:
  - opcode: createNodes
    countParam: $nodes
    nodeTemplatePath: %s
    labelNodePrepareStrategy: {labelKey: site, labelValues: [east, west]}
`, write("scheduler.yaml", scheduler), nodes, write("node.yaml", node))
	for i := range sites * sizes {
		fmt.Fprintf(&config, "  - {opcode: createNamespaces, prefix: group-%d, count: 1}\n", i)
		fmt.Fprintf(&namespaces, "group-%d-0, ", i)
	}
	fmt.Fprintf(&config, "  - {opcode: startCollectingMetrics, name: all, namespaces: [%s]}\n", strings.TrimSuffix(namespaces.String(), ", "))
	for i := range sites * sizes {
		site, size := []string{"east", "west"}[i%sites], i/sites
		path := write(fmt.Sprintf("pod-%d.yaml", i), fmt.Sprintf(pod, site, 250<<size, 512<<size))
		fmt.Fprintf(&config, "  - {opcode: createPods, count: %d, podTemplatePath: %s, namespace: group-%d-0, skipWaitToCompletion: true}\n", pods/sites/sizes, path, i)
	}
	config.WriteString("  - {opcode: barrier}\n  - {opcode: stopCollectingMetrics}\n")
	perf.RunBenchmarkPerfScheduling(b, write("config.yaml", config.String()), "fairway", nil)
}

// scheduler holds the filters that Fairway's decision holds, too, and kube-scheduler's own
// score of room.
const scheduler = `
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
  plugins:
    multiPoint: {disabled: [{name: "*"}]}
    preEnqueue: {enabled: [{name: SchedulingGates}]}
    queueSort: {enabled: [{name: PrioritySort}]}
    preFilter: {enabled: [{name: NodeAffinity}, {name: NodeResourcesFit}]}
    filter: {enabled: [{name: NodeUnschedulable}, {name: NodeAffinity}, {name: NodeResourcesFit}]}
    preScore: {enabled: [{name: NodeResourcesFit}]}
    score: {enabled: [{name: NodeResourcesFit, weight: 1}]}
    bind: {enabled: [{name: DefaultBinder}]}
`

const node = `
apiVersion: v1
kind: Node
metadata: {generateName: node-, labels: {pool: shared}}
status:
  capacity: {cpu: "16", memory: 64Gi, pods: "110"}
  conditions: [{type: Ready, status: "True"}]
`

const pod = `
apiVersion: v1
kind: Pod
metadata: {generateName: pod-}
spec:
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
        - matchExpressions:
          - {key: site, operator: In, values: [%s]}
          - {key: pool, operator: In, values: [shared]}
  containers:
  - name: main
    image: app
    resources: {requests: {cpu: %dm, memory: %dMi}}
`
