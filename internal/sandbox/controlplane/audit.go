// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controlplane

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

// auditPolicy records who did what: every write and every way into a pod with
// its metadata, never the content of a Secret; Fairway's own kinds with the
// request. Reads and the housekeeping of components stay out.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: ["system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"]
  - level: None
    userGroups: ["system:nodes"]
  - level: None
    resources:
      - group: coordination.k8s.io
        resources: ["leases"]
      - group: ""
        resources: ["events"]
      - group: events.k8s.io
        resources: ["events"]
      - group: authorization.k8s.io
      - group: authentication.k8s.io
  - level: Metadata
    resources:
      - group: ""
        resources: ["secrets", "serviceaccounts/token", "configmaps"]
    verbs: ["create", "update", "patch", "delete", "deletecollection"]
  - level: Metadata
    resources:
      - group: ""
        resources: ["secrets"]
  - level: Metadata
    resources:
      - group: ""
        resources: ["pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy", "nodes/proxy", "pods/log"]
  - level: Request
    verbs: ["create", "update", "patch", "delete", "deletecollection"]
    resources:
      - group: fleet.fairway.cloud
      - group: identity.fairway.cloud
      - group: approval.fairway.cloud
      - group: tenancy.fairway.cloud
      - group: app.fairway.cloud
      - group: placement.fairway.cloud
      - group: release.fairway.cloud
      - group: delivery.fairway.cloud
  - level: Metadata
    verbs: ["create", "update", "patch", "delete", "deletecollection"]
  - level: None
`

func (c Cluster) auditPolicyFile() string { return filepath.Join(c.Dir, "audit-policy.yaml") }

func (c Cluster) audited() bool { return !c.Lean || c.Audited }

func (c Cluster) writeAuditPolicy() error {
	if !c.audited() {
		return nil
	}
	dir := filepath.Dir(c.Files().AuditLog)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("could not make the log folder %q: %w", dir, err)
	}
	return pki.WriteFile(c.auditPolicyFile(), []byte(auditPolicy))
}
