// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

// Port is a port that a component listens on.
type Port struct {
	// name is how probes, dependencies and exposure refer to the port.
	// +required
	Name PortName `json:"name"`

	// port is the number the process listens on.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +required
	Port int32 `json:"port"`

	// protocol is TCP (default) or UDP.
	// +kubebuilder:default=TCP
	// +optional
	Protocol TransportProtocol `json:"protocol,omitempty"`

	// scheme is what is spoken: http (default), https, grpc, or tcp for anything else. It is
	// the beginning of the URL in FAIRWAY_DEPENDENCY_<NAME>_URL.
	// +kubebuilder:default=http
	// +optional
	Scheme Scheme `json:"scheme,omitempty"`
}

// PortName names a port within its component.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=15
// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
type PortName string

// TransportProtocol is what carries a port.
//
// +kubebuilder:validation:Enum=TCP;UDP
type TransportProtocol string

const (
	// ProtocolTCP is TCP.
	ProtocolTCP TransportProtocol = "TCP"
	// ProtocolUDP is UDP.
	ProtocolUDP TransportProtocol = "UDP"
)

// Scheme is the application protocol of a port.
//
// +kubebuilder:validation:Enum=http;https;grpc;tcp
type Scheme string

const (
	// SchemeHTTP is plain HTTP.
	SchemeHTTP Scheme = "http"
	// SchemeHTTPS is HTTP over TLS.
	SchemeHTTPS Scheme = "https"
	// SchemeGRPC is gRPC.
	SchemeGRPC Scheme = "grpc"
	// SchemeTCP is any other protocol.
	SchemeTCP Scheme = "tcp"
)
