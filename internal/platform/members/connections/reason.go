// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package connections

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Reasons of a State.
const (
	// ReasonConnected: the member answers.
	ReasonConnected = "Connected"
	// ReasonConnecting: the first attempt has not ended.
	ReasonConnecting = "Connecting"
	// ReasonDisconnected: the connection was ended on this side.
	ReasonDisconnected = "Disconnected"
	// ReasonUnreachable: nobody answers at the address; check network and member.
	ReasonUnreachable = "Unreachable"
	// ReasonUntrusted: the certificate does not chain to the given authority, or is for another name.
	ReasonUntrusted = "CertificateNotTrusted"
	// ReasonUnauthorized: the member does not accept the credentials; rotate them.
	ReasonUnauthorized = "CredentialsRefused"
	// ReasonForbidden: the credentials lack rights; bind the role of config/rbac.
	ReasonForbidden = "RightsMissing"
	// ReasonOtherCluster: another cluster answers at the address; a person must look.
	ReasonOtherCluster = "OtherCluster"
	// ReasonRefused: the address or an answer is one that Fairway does not accept.
	ReasonRefused = "Refused"
	// ReasonFailing: the member answers with errors.
	ReasonFailing = "Failing"
)

// NeedsPerson says that waiting does not help: somebody has to correct
// credentials, address or cluster.
func (s State) NeedsPerson() bool {
	switch s.Reason {
	case ReasonUntrusted, ReasonUnauthorized, ReasonForbidden, ReasonOtherCluster, ReasonRefused:
		return true
	}
	return false
}

// final says that another probe would not fare better.
func final(err error) bool {
	return apierrors.IsUnauthorized(err) || errors.Is(err, ErrOtherCluster) || errors.Is(err, errRedirect)
}

// explain says why a member cannot be used, in words that stay the same while
// the cause does: no ports, times or counts.
func explain(server string, err error) (reason, message string) {
	at := fmt.Sprintf("could not reach the cluster at %q: ", server)
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		dns      *net.DNSError
		timeout  net.Error
	)
	switch {
	case err == nil:
		return ReasonFailing, at + "the connection ended: it is made again"
	case errors.Is(err, ErrOtherCluster):
		return ReasonOtherCluster, at + err.Error() + ": if the cluster was rebuilt, join it under another name"
	case errors.Is(err, errForbiddenAddress):
		_, detail, _ := strings.Cut(flat(err), errForbiddenAddress.Error()+" ")
		return ReasonRefused, at + detail
	case errors.Is(err, errRedirect):
		return ReasonRefused, at + "it redirects to another address, which is never followed: give the API server's own address"
	case errors.Is(err, errTooLarge):
		return ReasonRefused, at + "its answer is larger than any that a cluster gives: look at the cluster"
	case errors.As(err, &unknown):
		return ReasonUntrusted, at + "its certificate is not from the given authority: correct certificate-authority-data"
	case errors.As(err, &hostname):
		return ReasonUntrusted, at + "its certificate is for another name: correct the address, or give tls-server-name"
	case errors.As(err, &invalid):
		return ReasonUntrusted, at + "its certificate is not valid, or not any more: renew the API server's certificate"
	case apierrors.IsUnauthorized(err):
		return ReasonUnauthorized, at + "it does not accept the credentials: put new ones into the cluster's Secret"
	case apierrors.IsForbidden(err):
		return ReasonForbidden, at + "the credentials lack rights: give Fairway's account there what config/member lists"
	case errors.Is(err, errNotTaken) && apierrors.ReasonForError(err) == metav1.StatusReasonUnknown:
		return ReasonFailing, at + "it answers, but cannot be taken into use: the server's log says why"
	case errors.As(err, &dns):
		return ReasonUnreachable, at + "its name cannot be resolved: correct the address, or the hub's DNS"
	case errors.Is(err, syscall.ECONNREFUSED):
		return ReasonUnreachable, at + "the connection was refused: check the address, and that the API server runs"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return ReasonUnreachable, at + "there is no route: check the network between the hub and the cluster"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return ReasonUnreachable, at + "nobody answered in time: check the network between the hub and the cluster"
	case apierrors.ReasonForError(err) != "":
		return ReasonFailing, at + "it answers with " + string(apierrors.ReasonForError(err)) + ": look at its API server"
	case strings.Contains(err.Error(), "tls: "):
		return ReasonUntrusted, at + "the two do not agree on TLS: check that the address is the API server's, and the client certificate"
	}
	return ReasonFailing, at + "it gives no answer that a Kubernetes API server gives: check that the address is the API server's"
}

func flat(err error) string { return strings.ReplaceAll(err.Error(), "\n", " ") }
