// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/sandbox/host"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

const prometheusProcess = "prometheus"

// scrape is one job of Prometheus.
type scrape map[string]any

// PrometheusURL is where Prometheus is asked; empty: there is none.
func (s *Sandbox) PrometheusURL() string {
	if s.Plan.PrometheusPort == 0 || s.Options.Missing.Prometheus {
		return ""
	}
	return fmt.Sprintf("http://127.0.0.1:%d", s.Plan.PrometheusPort)
}

// metricsUp starts Prometheus where it is wanted and installed. Nothing waits for it:
// without answers tags stay as they are.
func (s *Sandbox) metricsUp(context.Context) error {
	if s.PrometheusURL() == "" {
		return nil
	}
	dir := s.Options.Folder.Path("prometheus")
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		return fmt.Errorf("could not make Prometheus's folder: %w", err)
	}
	content, err := yaml.Marshal(map[string]any{
		"global":         map[string]any{"scrape_interval": "30s", "scrape_timeout": "10s", "external_labels": map[string]string{"sandbox": s.Plan.Sandbox}},
		"scrape_configs": s.scrapes(),
	})
	if err != nil {
		return err
	}
	config := filepath.Join(dir, "prometheus.yaml")
	if err := pki.WriteFile(config, content); err != nil {
		return err
	}
	address := fmt.Sprintf("127.0.0.1:%d", s.Plan.PrometheusPort)
	return s.Supervise(supervise.Process{
		Name: prometheusProcess,
		Argv: []string{
			"prometheus", "--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"),
			"--storage.tsdb.retention.time=6h", "--web.listen-address=" + address, "--log.level=warn",
		},
		Dir: dir, Env: []string{"GOGC=50"}, LogFile: s.LogFile(prometheusProcess),
		Ready: func(ctx context.Context) error { return get(ctx, s.PrometheusURL()+"/-/ready") },
	})
}

// scrapes are the jobs: API servers, kubelets, and Fairway's server, which gives
// its metrics without a token on an address of their own. The API servers' histograms, thousands of series each, are left out
// but for the request durations.
func (s *Sandbox) scrapes() []scrape {
	jobs := []scrape{{
		"job_name":       "fairway",
		"static_configs": []scrape{{"targets": []string{fmt.Sprintf("127.0.0.1:%d", s.Plan.MetricsPort)}}},
	}}
	thin := []scrape{{
		"source_labels": []string{"__name__"},
		"regex":         "(etcd|apiserver_(admission|watch|storage|flowcontrol|response)|workqueue|rest_client|kubelet_runtime|storage_operation)_.*_bucket|apiserver_request_(body|sli|slo).*",
		"action":        "drop",
	}}
	for _, c := range s.Plan.Clusters {
		file := func(name string) string { return filepath.Join(s.planes[c.Name].Dir, "pki", name) }
		tls := map[string]string{"ca_file": file("ca.crt"), "cert_file": file("kubelet-client.crt"), "key_file": file("kubelet-client.key")}
		jobs = append(jobs, scrape{
			"job_name": c.Name + "/kube-apiserver", "scheme": "https", "tls_config": tls, "metric_relabel_configs": thin,
			"static_configs": []scrape{{"targets": []string{fmt.Sprintf("127.0.0.1:%d", c.Port)}, "labels": map[string]string{"cluster": c.Name}}},
		})
		var kubelets []scrape
		for _, h := range s.Plan.HostsOf(topology.Real, c.Name) {
			kubelets = append(kubelets, scrape{
				"targets": []string{fmt.Sprintf("%s:%d", h.IP, host.KubeletPort)},
				"labels":  map[string]string{"cluster": c.Name, "host": h.Name, "rack": h.Rack, "datacenter": h.DataCenter},
			})
		}
		if s.RealHosts() && len(kubelets) > 0 {
			for name, path := range map[string]string{"kubelet": "/metrics", "cadvisor": "/metrics/cadvisor"} {
				jobs = append(jobs, scrape{
					"scrape_interval": "15s", "job_name": c.Name + "/" + name, "scheme": "https", "tls_config": tls, "metrics_path": path,
					"metric_relabel_configs": thin, "static_configs": kubelets,
				})
			}
		}
	}
	return jobs
}
