// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package admission answers the hub, which asks before it stores something: a
// ValidatingWebhookConfiguration that fails closed names the server's address for it.
// Rooms judge; this says who may ask, and what the configuration looks like.
package admission
