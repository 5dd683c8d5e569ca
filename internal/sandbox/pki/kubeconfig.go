// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package pki

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// Kubeconfig writes out the access of one user to one cluster, with the
// certificates inside, so that the file works wherever it is copied.
func Kubeconfig(cluster, user, server string, authority []byte, pair Pair) ([]byte, error) {
	type named map[string]any
	config := map[string]any{
		"apiVersion": "v1",
		"kind":       "Config",
		"clusters": []named{{"name": cluster, "cluster": map[string]any{
			"server": server, "certificate-authority-data": authority,
		}}},
		"users": []named{{"name": user, "user": map[string]any{
			"client-certificate-data": pair.Cert, "client-key-data": pair.Key,
		}}},
		"contexts":        []named{{"name": cluster, "context": map[string]any{"cluster": cluster, "user": user}}},
		"current-context": cluster,
	}
	// Through JSON, which writes []byte as base64 as the format wants.
	raw, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("could not write the kubeconfig of %q: %w", user, err)
	}
	return yaml.JSONToYAML(raw)
}

// OpenServiceAccountKey makes (or keeps) the key that signs service-account
// tokens, and returns its path.
func OpenServiceAccountKey(dir string) (string, error) {
	path := filepath.Join(dir, "service-account.key")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	authority, err := New("service-account")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("could not store the service-account key: %w", err)
	}
	return path, WriteFile(path, authority.pair.Key)
}
