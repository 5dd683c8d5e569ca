// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// getOK asks url once and returns nil for the status 200. Without an
// authority the server's certificate is not checked: such a server is our own
// child on loopback and is only asked whether it lives.
func getOK(ctx context.Context, url, authority, cert, key string) error {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: authority == ""} //nolint:gosec // see above
	if authority != "" {
		pem, err := os.ReadFile(authority)
		if err != nil {
			return err
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(pem)
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s: %s", url, response.Status, body)
	}
	return nil
}
