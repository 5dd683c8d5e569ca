// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package httpapi is the machinery of the REST API: the route table, the chain
// that every request passes (limits, trace, identity, Gate, Recorder), problems
// as RFC 9457 words them, the kinds that the custom resource definitions
// declare, and the OpenAPI document that is made from all of these.
//
// The router denies by default: what the table does not name does not exist, and
// a route that changes something cannot be mounted without identity, Gate and
// Recorder, because the chain puts them there and not the handler.
package httpapi
