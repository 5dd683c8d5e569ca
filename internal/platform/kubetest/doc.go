// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package kubetest gives tests a real Kubernetes API server: etcd and
// kube-apiserver (on request controller manager and scheduler too) of the
// sandbox's kubebox binary, on free loopback ports, ended with the test even
// when it crashes. The first use on a machine builds the binary, which takes
// minutes; after that a cluster is there in about 4 seconds.
//
// One API server for all tests of a package (the usual way):
//
//	var hub *kubetest.Cluster
//
//	func TestMain(m *testing.M) {
//		os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithScheme(scheme)))
//	}
//
//	func TestReconcile(t *testing.T) {
//		namespace := hub.Namespace(t)
//		c := hub.Client() // controller-runtime client; hub.Config() is the rest.Config
//		…
//	}
//
// One for a single test, or a hub with members (one etcd, an API server each):
//
//	cluster := kubetest.Start(t, kubetest.WithControllerManager())
//	fleet := kubetest.StartFleet(t, []string{"hub", "east-1"}, kubetest.WithCRDsOn("hub"))
//	fleet["east-1"].StopAPIServer(); fleet["east-1"].StartAPIServer(t)
//
// Without a controller manager nobody deletes a namespace's contents, makes
// service accounts or runs Deployments; the ServiceAccount admission plugin is
// then off, so that pods can be created. Tests that start a cluster are
// skipped under "go test -short".
package kubetest
