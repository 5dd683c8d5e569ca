// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package apiclient asks Fairway's REST API: requests with the token of a file,
// lists page by page, problems as errors, and the kinds as the server tells them.
package apiclient
