// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package authority holds the authorization matrix: what each route answers each role
// about what is its own, what is another tenant's, and what is not there. It is made
// from the route table on a real hub, and held against the reviewed page
// docs/reference/authorization-matrix.md. A route without a row fails; so does any row
// when one of the checks is taken away.
package authority
