// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package server answers the REST API's questions about evidence: search, one
// record, the history of an object, and exports, which are evidence themselves.
//
// Who may read what is a rule of RBAC about the resource "records" of the group
// "audit.fairway.cloud": list in all namespaces shows everything, list in one
// shows what happened to what lives there, and export lets it be taken away. What
// may not be seen answers as what is not there.
package server
