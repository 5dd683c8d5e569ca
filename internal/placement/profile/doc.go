// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package profile decides what is known of the ways of an application's components
// (应用画像, R51). Tags come from three origins:
//
//   - Spec: whoever describes the application says them;
//   - Imported: a CMDB or another system of the bank says them, with algorithm, version
//     and date;
//   - Measured: a TagRule's query was past its threshold for long enough.
//
// The rules by which they are combined are few. A component has a tag that any origin
// gives it. What the Application says a component is without (profile.without) nobody
// gives it. An import replaces all that its source said of a component, and nothing
// else. A measured tag stays as it is while there is no answer, however long that is:
// it is shown as old, then as stale, and holds.
//
// The package is pure: what was read comes in, what to write comes out. Its hands are
// beside it: measure asks Prometheus, controller writes the Profiles, server takes
// imports.
package profile
