// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	yamlnode "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// MaxKubeconfig is the largest kubeconfig that is read, in bytes.
const MaxKubeconfig = 256 << 10

// Limits of the YAML inside.
const (
	maxDepth = 16
	maxNodes = 4096
)

// Credentials reach one member. They hold nothing that runs a program, reads a
// file or leads elsewhere.
type Credentials struct {
	// Server is the API server's URL: https, a host, and nothing else but a path.
	Server string
	// CAData is the PEM bundle that the server's certificate must chain to.
	// Empty: the authorities of the machine that the hub runs on.
	CAData []byte
	// TLSServerName is the name that the certificate is checked for, where it is
	// not the URL's host.
	TLSServerName string
	// CertData and KeyData are the client certificate and its key, in PEM.
	CertData []byte
	KeyData  []byte
	// Token is a bearer token.
	Token string
}

// String names the server and no secret, so that credentials may be printed.
func (c Credentials) String() string { return "credentials for " + c.Server }

// GoString is String: no verb prints a secret.
func (c Credentials) GoString() string { return c.String() }

// kubeconfig holds every field that is understood. Any other is refused.
type kubeconfig struct {
	APIVersion     string         `json:"apiVersion"`
	Kind           string         `json:"kind"`
	CurrentContext string         `json:"current-context"`
	Preferences    any            `json:"preferences"`
	Extensions     any            `json:"extensions"`
	Clusters       []namedCluster `json:"clusters"`
	Users          []namedUser    `json:"users"`
	Contexts       []namedContext `json:"contexts"`
}

type namedCluster struct {
	Name    string      `json:"name"`
	Cluster clusterPart `json:"cluster"`
}

type clusterPart struct {
	Server             string `json:"server"`
	TLSServerName      string `json:"tls-server-name"`
	CAData             []byte `json:"certificate-authority-data"`
	CAFile             any    `json:"certificate-authority"`
	Insecure           any    `json:"insecure-skip-tls-verify"`
	ProxyURL           any    `json:"proxy-url"`
	DisableCompression any    `json:"disable-compression"`
	Extensions         any    `json:"extensions"`
}

type namedUser struct {
	Name string   `json:"name"`
	User userPart `json:"user"`
}

type userPart struct {
	CertData     []byte `json:"client-certificate-data"`
	CertFile     any    `json:"client-certificate"`
	KeyData      []byte `json:"client-key-data"`
	KeyFile      any    `json:"client-key"`
	Token        string `json:"token"`
	TokenFile    any    `json:"tokenFile"`
	As           any    `json:"as"`
	AsUID        any    `json:"as-uid"`
	AsGroups     any    `json:"as-groups"`
	AsUserExtra  any    `json:"as-user-extra"`
	Username     any    `json:"username"`
	Password     any    `json:"password"`
	AuthProvider any    `json:"auth-provider"`
	Exec         any    `json:"exec"`
	Extensions   any    `json:"extensions"`
}

type namedContext struct {
	Name    string `json:"name"`
	Context struct {
		Cluster    string `json:"cluster"`
		User       string `json:"user"`
		Namespace  string `json:"namespace"`
		Extensions any    `json:"extensions"`
	} `json:"context"`
}

// CheckKubeconfig returns the credentials in a kubeconfig that somebody else
// wrote (R01). It refuses whatever would run a program on the hub, read a file
// of the hub, lead a connection elsewhere or weaken it, with a sentence that
// says what to do. No error repeats a secret.
func CheckKubeconfig(raw []byte) (Credentials, error) {
	config, err := readKubeconfig(raw)
	if err != nil {
		return Credentials{}, fmt.Errorf("could not use the kubeconfig: %w", err)
	}
	credentials, err := config.credentials()
	if err != nil {
		return Credentials{}, fmt.Errorf("could not use the kubeconfig: %w", err)
	}
	return credentials, nil
}

func readKubeconfig(raw []byte) (*kubeconfig, error) {
	if len(raw) > MaxKubeconfig {
		return nil, fmt.Errorf("it has %d bytes, more than %d: give a kubeconfig of this one cluster only", len(raw), MaxKubeconfig)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, errors.New("it is empty: give the file that reaches the cluster")
	}
	if err := plainYAML(raw); err != nil {
		return nil, err
	}
	config := &kubeconfig{}
	if err := yaml.UnmarshalStrict(raw, config); err != nil {
		return nil, errors.New(explainDecoding(err))
	}
	if config.Kind != "" && config.Kind != "Config" {
		return nil, fmt.Errorf("its kind is %q, not Config: give a kubeconfig", short(config.Kind))
	}
	return config, nil
}

// plainYAML refuses what makes a small file large or slow: aliases, deep
// nesting, many nodes, several documents.
func plainYAML(raw []byte) error {
	decoder := yamlnode.NewDecoder(bytes.NewReader(raw))
	var document yamlnode.Node
	if err := decoder.Decode(&document); err != nil {
		return errors.New("it is not YAML: give the file as \"kubectl config view --raw --minify --flatten\" writes it")
	}
	var next yamlnode.Node
	if err := decoder.Decode(&next); !errors.Is(err, io.EOF) {
		return errors.New("it holds several documents: give one")
	}
	left := maxNodes
	return plainNode(&document, maxDepth, &left)
}

func plainNode(node *yamlnode.Node, depth int, left *int) error {
	*left--
	switch {
	case node.Kind == yamlnode.AliasNode || node.Anchor != "":
		return errors.New("it uses YAML anchors or aliases: write every value out")
	case depth == 0 || *left < 0:
		return errors.New("it is nested too deeply or has too many values: give a kubeconfig of this one cluster only")
	}
	for _, child := range node.Content {
		if err := plainNode(child, depth-1, left); err != nil {
			return err
		}
	}
	return nil
}

// explainDecoding tells what a decoder did not like without repeating values.
func explainDecoding(err error) string {
	text := err.Error()
	if _, field, ok := strings.Cut(text, "unknown field "); ok {
		return "it has the unknown field " + short(field) + ": remove it, or correct its name"
	}
	if strings.Contains(text, "already set in map") || strings.Contains(text, "already defined") {
		return "it gives one field twice: keep one of the two"
	}
	return "a value has the wrong type (data fields are base64): give the file as \"kubectl config view --raw --minify --flatten\" writes it"
}

func (k *kubeconfig) credentials() (Credentials, error) {
	cluster, user, err := k.chosen()
	if err != nil {
		return Credentials{}, err
	}
	if err := cluster.refuse(); err != nil {
		return Credentials{}, err
	}
	if err := user.refuse(); err != nil {
		return Credentials{}, err
	}
	if err := checkServer(cluster.Server); err != nil {
		return Credentials{}, err
	}
	if strings.ContainsAny(cluster.TLSServerName, " \t\r\n/") || len(cluster.TLSServerName) > 253 {
		return Credentials{}, errors.New("tls-server-name is no host name: correct it, or leave it out")
	}
	if err := checkCertificates(cluster.CAData); err != nil {
		return Credentials{}, err
	}
	credentials := Credentials{
		Server: cluster.Server, TLSServerName: cluster.TLSServerName, CAData: cluster.CAData,
		CertData: user.CertData, KeyData: user.KeyData, Token: user.Token,
	}
	return credentials, user.check()
}

// chosen returns the one cluster and user that are meant.
func (k *kubeconfig) chosen() (*clusterPart, *userPart, error) {
	if len(k.Contexts) != 1 {
		return nil, nil, fmt.Errorf("it has %d contexts, so that it is unclear which cluster is meant: keep one (kubectl config view --raw --minify --flatten)", len(k.Contexts))
	}
	context := k.Contexts[0]
	if k.CurrentContext != "" && k.CurrentContext != context.Name {
		return nil, nil, fmt.Errorf("current-context %q is not the context that it has: correct current-context", short(k.CurrentContext))
	}
	if len(k.Clusters) != 1 || k.Clusters[0].Name != context.Context.Cluster {
		return nil, nil, fmt.Errorf("it must have exactly the cluster that its context names, %q: remove others (kubectl config view --raw --minify --flatten)", short(context.Context.Cluster))
	}
	if len(k.Users) != 1 || k.Users[0].Name != context.Context.User {
		return nil, nil, fmt.Errorf("it must have exactly the user that its context names, %q: remove others (kubectl config view --raw --minify --flatten)", short(context.Context.User))
	}
	return &k.Clusters[0].Cluster, &k.Users[0].User, nil
}

type refusal struct {
	given any
	why   string
}

func firstRefusal(all []refusal) error {
	i := slices.IndexFunc(all, func(r refusal) bool { return r.given != nil && r.given != "" && r.given != false })
	if i < 0 {
		return nil
	}
	return errors.New(all[i].why)
}

func (c *clusterPart) refuse() error {
	return firstRefusal([]refusal{
		{c.CAFile, "certificate-authority names a file, which would be read on the hub: put the certificate itself into certificate-authority-data"},
		{c.Insecure, "insecure-skip-tls-verify would let anybody answer in the cluster's place: remove it and give certificate-authority-data"},
		{c.ProxyURL, "proxy-url would lead the hub through another machine: remove it and give an address that the hub reaches itself"},
	})
}

func (u *userPart) refuse() error {
	return firstRefusal([]refusal{
		{u.Exec, "exec would run a program on the hub: give a client certificate or a service account's token instead"},
		{u.AuthProvider, "auth-provider would run code on the hub: give a client certificate or a service account's token instead"},
		{u.CertFile, "client-certificate names a file, which would be read on the hub: put the certificate itself into client-certificate-data"},
		{u.KeyFile, "client-key names a file, which would be read on the hub: put the key itself into client-key-data"},
		{u.TokenFile, "tokenFile names a file, which would be read on the hub: put the token itself into token"},
		{u.As, "as would act as somebody else in the cluster: give credentials of Fairway's own account there"},
		{u.AsUID, "as-uid would act as somebody else in the cluster: give credentials of Fairway's own account there"},
		{u.AsGroups, "as-groups would act as somebody else in the cluster: give credentials of Fairway's own account there"},
		{u.AsUserExtra, "as-user-extra would act as somebody else in the cluster: give credentials of Fairway's own account there"},
		{u.Username, "username and password are not accepted by Kubernetes any more: give a client certificate or a service account's token"},
		{u.Password, "username and password are not accepted by Kubernetes any more: give a client certificate or a service account's token"},
	})
}

func (u *userPart) check() error {
	switch {
	case len(u.CertData) == 0 && len(u.KeyData) == 0 && u.Token == "":
		return errors.New("it has neither a client certificate nor a token: give one of them")
	case strings.ContainsFunc(u.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the token contains characters that no token has: give it in one line, as it was issued")
	case len(u.CertData) == 0 && len(u.KeyData) == 0:
		return nil
	}
	if _, err := tls.X509KeyPair(u.CertData, u.KeyData); err != nil {
		return errors.New("client-certificate-data and client-key-data are no certificate with its key: give both, in PEM, base64-encoded")
	}
	return nil
}

func checkServer(server string) error {
	if len(server) > 1024 || strings.ContainsFunc(server, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("server is no URL: give it as https://<host>:<port>")
	}
	at, err := url.Parse(server)
	if err != nil || at.Host == "" || at.Hostname() == "" || at.Opaque != "" {
		return errors.New("server is no URL: give it as https://<host>:<port>")
	}
	switch {
	case at.User != nil:
		return errors.New("server holds a user or password: remove it from the URL and give a client certificate or a token")
	case at.Scheme != "https":
		return fmt.Errorf("server uses %q, which anybody on the way can read and change: give an https URL", short(at.Scheme))
	case at.RawQuery != "" || at.ForceQuery || at.Fragment != "":
		return errors.New("server holds a query or fragment: give it as https://<host>:<port>")
	}
	return nil
}

// checkCertificates wants nothing but certificates.
func checkCertificates(bundle []byte) error {
	const why = "certificate-authority-data is no list of certificates: give the authority's certificates in PEM, base64-encoded"
	rest, count := bundle, 0
	for len(bytes.TrimSpace(rest)) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return errors.New(why)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return errors.New(why)
		}
		if count++; count > 64 {
			return errors.New("certificate-authority-data holds more than 64 certificates: give those of this cluster only")
		}
	}
	return nil
}

// short bounds a piece of somebody else's text within a sentence.
func short(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if runes := []rune(text); len(runes) > 64 {
		return string(runes[:64]) + "…"
	}
	return text
}
