// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package connections

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/fairway-cloud/fairway/internal/fleet"
)

// namespaces maps the one kind that a probe asks for, without discovery.
var namespaces = func() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{corev1.SchemeGroupVersion})
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	return mapper
}()

// Config reaches a member with the given credentials and bounds: addresses are
// checked when they are dialled, no proxy is used, no redirect is followed, and
// answers end at a size. Make few clients of it: each has connections of its own.
func Config(credentials fleet.Credentials, loopback bool) *rest.Config {
	dialer := &net.Dialer{
		Timeout: 5 * time.Second, KeepAlive: 15 * time.Second,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("could not dial %q: %w", address, err)
			}
			if err := fleet.CheckAddress(at.Addr(), loopback); err != nil {
				return errors.Join(errForbiddenAddress, err)
			}
			return nil
		},
	}
	config := &rest.Config{
		Host: credentials.Server, BearerToken: credentials.Token, UserAgent: "fairway",
		TLSClientConfig: rest.TLSClientConfig{
			CAData: credentials.CAData, CertData: credentials.CertData, KeyData: credentials.KeyData,
			ServerName: credentials.TLSServerName,
		},
		QPS: 100, Burst: 200,
		Dial:  dialer.DialContext,
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &bounded{next: next} })
	return config
}
