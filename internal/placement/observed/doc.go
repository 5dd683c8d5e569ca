// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package observed reads from the hub what the scheduler decides by: the fleet as it
// was last seen, what Placements hold, and what Revisions ask for.
package observed
