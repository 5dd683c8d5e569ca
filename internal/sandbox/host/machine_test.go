// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/sandbox/controlplane"
	"github.com/fairway-cloud/fairway/internal/sandbox/images"
	"github.com/fairway-cloud/fairway/internal/sandbox/kubebox"
	"github.com/fairway-cloud/fairway/internal/sandbox/manifests"
	"github.com/fairway-cloud/fairway/internal/sandbox/netpol"
	"github.com/fairway-cloud/fairway/internal/sandbox/netpol/agent"
	"github.com/fairway-cloud/fairway/internal/sandbox/network"
)

const testSandbox = "host-test"

// kernelKept is set once another sandbox was seen to keep the kernel's
// settings as kubelets want them.
var kernelKept bool

// leftBehind is what of the test's sandbox the machine still shows.
func leftBehind(t *testing.T, dir string) map[string][]string {
	t.Helper()
	left := map[string][]string{}
	if _, err := os.Stat(machineDir); err == nil {
		kernelKept = true // another sandbox has a claim on the settings
	}
	for name, argv := range map[string][]string{
		"namespaces": {"ip", "netns"}, "links": {"ip", "-o", "link"}, "tables": {"nft", "list", "tables"},
		"mounts": {"cat", "/proc/self/mounts"}, "processes": {"ps", "-eo", "pid,args"},
		"groups": {"find", "/sys/fs/cgroup", "-type", "d"}, "logs": {"find", containerLinks, "-lname", dir + "/*"},
		"results": {"grep", "-rl", dir, cniResults}, "kernel": {"sysctl", "vm.overcommit_memory", "vm.panic_on_oom", "kernel.panic", "kernel.panic_on_oops"},
		"shims": {"find", shimSockets},
	} {
		out, _ := exec.Command(argv[0], argv[1:]...).Output()
		for line := range strings.Lines(string(out)) {
			ours := name == "kernel" && !kernelKept || name == "logs" || name == "results" || name == "shims"
			for _, mark := range []string{network.NamespacePrefix(testSandbox), network.LinkPrefix(testSandbox), network.TableName(testSandbox), "/" + cgroupTop + "/" + testSandbox, dir} {
				ours = ours || strings.Contains(line, mark)
			}
			if ours && !strings.Contains(line, "/host.test") {
				left[name] = append(left[name], strings.TrimSpace(line))
			}
		}
	}
	return left
}

// world is a cluster of two hosts in two data centres, with a registry.
type world struct {
	t       *testing.T
	dir     string
	net     *network.Network
	hosts   []Host
	run     *runner
	client  client.Client
	kubectl func(args ...string) string

	stopEnforcing func()
}

func startWorld(t *testing.T, ctx context.Context, names ...string) *world {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("real hosts need root")
	}
	for _, name := range []string{containerdBinary, "runc", "nft", "nsenter", "ip"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("real hosts need %s", name)
		}
	}
	if _, err := os.Stat(filepath.Join(cniPlugins, "ptp")); err != nil {
		t.Skip("real hosts need containernetworking-plugins")
	}
	dir, err := os.MkdirTemp("", "fwhost")
	must(t, err)
	box, err := kubebox.Ensure(ctx, kubebox.Options{})
	must(t, err)
	w := &world{t: t, dir: dir}
	logs := filepath.Join(dir, "logs")
	must(t, os.MkdirAll(logs, 0o755))

	addr := netip.MustParseAddr
	plan := network.Config{
		Sandbox: testSandbox, StateFile: filepath.Join(dir, "cuts.json"),
		DataCenters: []network.DataCenter{
			{Name: "dc-east", Subnet: netip.MustParsePrefix("10.222.1.0/24"), Router: addr("10.222.1.1"), Machine: addr("10.222.1.2"), Racks: []string{"east-a"}},
			{Name: "dc-west", Subnet: netip.MustParsePrefix("10.222.2.0/24"), Router: addr("10.222.2.1"), Machine: addr("10.222.2.2"), Racks: []string{"west-a"}},
		},
	}
	for i, name := range names { // in turn on both sites: 10.222.1.11, 10.222.2.11, 10.222.1.12 …
		site := plan.DataCenters[i%2]
		plan.Hosts = append(plan.Hosts, network.Host{
			Name: name, DataCenter: site.Name, Rack: site.Racks[0],
			IP:      addr(fmt.Sprintf("10.222.%d.%d", 1+i%2, 11+i/2)),
			PodCIDR: netip.MustParsePrefix(fmt.Sprintf("10.223.%d.0/24", i+1)),
		})
	}
	w.net, err = network.New(plan)
	must(t, err)
	etcd := controlplane.Etcd{Dir: filepath.Join(dir, "etcd"), LogDir: logs, Kubebox: box, Port: 24379, PeerPort: 24380, Lean: true}
	plane := controlplane.Cluster{
		Name: "east-1", Dir: filepath.Join(dir, "east-1"), LogDir: logs, Kubebox: box, Etcd: etcd,
		Bind: "0.0.0.0", Port: 24443, SchedulerPort: 24444, ControllerPort: 24445, Address: addr("10.222.1.2"),
		ServiceCIDR: netip.MustParsePrefix("10.224.0.0/20"), PodCIDR: netip.MustParsePrefix("10.223.0.0/16"),
		ControllerManager: true, Scheduler: true, Lean: true,
	}
	must(t, etcd.Prepare())
	files, err := plane.Prepare()
	must(t, err)
	authority, err := plane.Authority()
	must(t, err)
	cluster := Cluster{Name: "east-1", Server: plane.URL(), Authority: authority}
	for _, h := range plan.Hosts {
		w.hosts = append(w.hosts, Host{Config{
			Sandbox: testSandbox, Name: h.Name, Dir: filepath.Join(dir, "h", h.Name), LogDir: logs,
			NetNS: network.NamespacePath(testSandbox, h.Name), IP: h.IP, PodCIDR: h.PodCIDR,
			Labels:  map[string]string{"fleet.fairway.cloud/rack": h.Rack, corev1.LabelTopologyZone: h.DataCenter},
			Taints:  []corev1.Taint{{Key: "fleet.fairway.cloud/test", Effect: corev1.TaintEffectNoSchedule}},
			Machine: Size{2000, 8 << 30}, Share: Size{500, 1 << 30},
			Kubebox: box, PauseImage: "registry.test/fairway/pause:1",
			Registries: []Registry{{Name: "registry.test", URL: "http://10.222.1.2:24500"}}, Cluster: cluster,
			// Closed until the enforcer opens it.
			FirstRules: netpol.RuleSet{PodCIDRs: []netip.Prefix{h.PodCIDR}}.Script(),
		}})
	}
	before := leftBehind(t, dir)
	w.run = newRunner(t)
	t.Cleanup(func() { w.end(before) })

	must(t, ClaimMachine(testSandbox))
	must(t, w.net.Up(ctx))
	w.registry(ctx, "10.222.1.2:24500")
	w.run.start(ctx, etcd.Process())
	for _, p := range plane.Processes() {
		w.run.start(ctx, p)
	}
	config, err := clientcmd.BuildConfigFromFlags("", files.LocalKubeconfig)
	must(t, err)
	w.client, err = client.New(config, client.Options{})
	must(t, err)
	w.kubectl = func(args ...string) string {
		out, _ := exec.Command(box, append([]string{"kubectl", "--kubeconfig", files.LocalKubeconfig}, args...)...).CombinedOutput()
		return string(out)
	}

	storage := Storage{SharedDir: filepath.Join(dir, "shared", "east-1"), Shared: 2, Hosts: w.hosts, Local: 1}
	must(t, storage.Prepare())
	for _, objects := range []func() ([]*unstructuredObject, error){DNSObjects, storage.Objects} {
		list, err := objects()
		must(t, err)
		must(t, manifests.Apply(ctx, w.client, list))
	}
	w.enforce(config)
	for _, h := range w.hosts {
		w.boot(ctx, h)
	}
	return w
}

// enforce runs the NetworkPolicy enforcer for all hosts until the test ends.
func (w *world) enforce(config *rest.Config) {
	var hosts []agent.Host
	for _, h := range w.hosts {
		hosts = append(hosts, agent.Host{Node: h.Name, NetNS: h.NetNS, PodCIDRs: []netip.Prefix{h.PodCIDR}})
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- agent.Run(ctx, agent.Config{REST: config, Hosts: hosts, Check: time.Second, Log: slog.New(slog.DiscardHandler)})
	}()
	w.stopEnforcing = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
}

// end takes everything down and compares with the machine before.
func (w *world) end(before map[string][]string) {
	ctx := context.Background()
	if w.t.Failed() {
		for _, h := range w.hosts {
			for _, p := range h.Processes() {
				w.t.Logf("%s:%s", p.Name, tail(p.LogFile))
			}
		}
		if w.kubectl != nil {
			w.t.Log(w.kubectl("get", "nodes,pods,svc,endpointslices,pv", "-A", "-o", "wide"), w.kubectl("get", "events", "-A"))
		}
	}
	if os.Getenv("FAIRWAY_TEST_HOLD") != "" {
		w.t.Logf("held: touch %s/go on", w.dir)
		for {
			if _, err := os.Stat(filepath.Join(w.dir, "go")); err == nil {
				break
			}
			must(w.t, pause(ctx, time.Second))
		}
	}
	began := time.Now()
	if w.stopEnforcing != nil {
		w.stopEnforcing()
	}
	for _, h := range w.hosts {
		for _, p := range h.Processes() {
			w.run.kill(p.Name)
		}
	}
	if err := Sweep(ctx, testSandbox, filepath.Join(w.dir, "h"), 2*time.Second); err != nil {
		w.t.Error(err)
	}
	for name := range w.run.running {
		w.run.kill(name)
	}
	if err := w.net.Down(ctx); err != nil {
		w.t.Error(err)
	}
	if err := ReleaseMachine(testSandbox); err != nil {
		w.t.Error(err)
	}
	w.t.Logf("down after %v", time.Since(began).Round(time.Millisecond))
	if w.t.Failed() {
		w.t.Logf("kept: %s", w.dir)
	} else if err := os.RemoveAll(w.dir); err != nil {
		w.t.Error(err)
	}
	after := leftBehind(w.t, w.dir)
	if kernelKept {
		delete(before, "kernel")
	}
	if diff := cmp.Diff(before, after); diff != "" {
		w.t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// registry serves the test's images on an address of the machine.
func (w *world) registry(ctx context.Context, address string) {
	w.t.Helper()
	l, err := net.Listen("tcp4", address)
	must(w.t, err)
	server := httptest.NewUnstartedServer(registry.New(registry.Logger(quiet())))
	server.Listener.Close()
	server.Listener = l
	server.Start()
	w.t.Cleanup(server.Close)
	root, err := manifests.Root()
	if err != nil {
		root, err = filepath.Abs("../../..")
	}
	must(w.t, err)
	builder := images.Builder{Dir: root}
	for ref, spec := range map[string]images.Spec{
		"fairway/pause:1":  images.Pause(),
		"fairway/answer:1": {Package: "./internal/sandbox/host/testdata/answer", Name: "answer", Tag: "1"},
	} {
		img, err := builder.Build(ctx, spec)
		must(w.t, err)
		_, err = images.Push(ctx, img, address+"/"+ref)
		must(w.t, err)
	}
}

// boot starts a host and waits until its node is ready.
func (w *world) boot(ctx context.Context, h Host) {
	w.t.Helper()
	began := time.Now()
	must(w.t, h.Prepare(ctx))
	for _, p := range h.Processes() {
		w.run.start(ctx, p)
	}
	w.eventually(ctx, "node "+h.Name+" is ready", func() error {
		var node corev1.Node
		if err := w.client.Get(ctx, client.ObjectKey{Name: h.Name}, &node); err != nil {
			return err
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue && c.LastHeartbeatTime.After(began.Add(-time.Second)) {
				return nil
			}
		}
		return fmt.Errorf("%v", node.Status.Conditions)
	})
	w.t.Logf("host %s up after %v", h.Name, time.Since(began).Round(time.Millisecond))
}

// pod runs the answering image on a host.
func (w *world) pod(ctx context.Context, name, host string, volumes ...corev1.Volume) string {
	w.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"app": "answer"}},
		Spec: corev1.PodSpec{
			NodeSelector: map[string]string{corev1.LabelHostname: host},
			Tolerations:  []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Containers: []corev1.Container{{
				Name: "answer", Image: "registry.test/fairway/answer:1",
				ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(8080)}}},
			}},
			Volumes: volumes,
		},
	}
	for _, v := range volumes {
		pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: v.Name, MountPath: "/data"})
	}
	must(w.t, w.client.Create(ctx, pod))
	return w.podReady(ctx, name)
}

func (w *world) podReady(ctx context.Context, name string) string {
	w.t.Helper()
	began := time.Now()
	var pod corev1.Pod
	w.eventually(ctx, "pod "+name+" is ready", func() error {
		if err := w.client.Get(ctx, client.ObjectKey{Namespace: "default", Name: name}, &pod); err != nil {
			return err
		}
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("%s: %v", pod.Status.Phase, pod.Status.ContainerStatuses)
	})
	w.t.Logf("pod %s ready after %v", name, time.Since(began).Round(time.Millisecond))
	return pod.Status.PodIP
}

func (w *world) eventually(ctx context.Context, what string, check func() error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			w.t.Fatalf("%s: not so: %v", what, err)
		}
	}
}

// get asks from the machine; fetch asks a pod to ask.
func get(target string) (string, error) {
	c := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := c.Get(target)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), err
}

func fetch(pod, target string) (string, error) {
	return get("http://" + pod + ":8080/fetch?url=" + url.QueryEscape(target))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
