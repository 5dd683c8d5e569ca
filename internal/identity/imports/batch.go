// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package imports brings the bank's people and its tree of units in from a file, or
// from another system, and keeps them in step (R08). It reads and plans; whoever
// asked for the import writes.
//
// A column that a file does not have is not touched: the list of the personnel
// department says who works where, and does not take roles away. Whoever left is
// disabled and never deleted.
package imports

import (
	"fmt"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// MostRows is the most rows that one import may have.
const MostRows = 5000

// Row is one person as a file or a system tells it.
type Row struct {
	// Line of the file, from 1; 0 where there is none.
	Line int
	// ID of the person.
	ID string
	// Spec holds what the row says, and Columns which fields of it were given.
	Spec    identityv1.PersonSpec
	Columns Columns
	// Provider narrows the logins to one way of logging in: those of others stay. Empty:
	// all of them are replaced.
	Provider string
}

// Columns are the fields that a row gives.
type Columns map[string]bool

// Unit is one tenant of the bank's tree as a file tells it.
type Unit struct {
	// Line of the file, from 1.
	Line int
	// Name of the tenant.
	Name string
	// Spec holds what the row says, and Columns which fields of it were given.
	Spec    tenancyv1.TenantSpec
	Columns Columns
}

// Batch is what one file holds.
type Batch struct {
	People []Row
	Units  []Unit
}

// Fault is what is wrong with one row.
type Fault struct {
	// Line of the file, from 1; 0: the file as a whole.
	Line int `json:"line,omitempty"`
	// ID of the person, or name of the tenant. Empty: not known.
	ID string `json:"id,omitempty"`
	// Message says what is wrong and what to write.
	Message string `json:"message"`
}

// String tells the fault with its place.
func (f Fault) String() string {
	switch {
	case f.Line > 0 && f.ID != "":
		return fmt.Sprintf("line %d, %s: %s", f.Line, f.ID, f.Message)
	case f.Line > 0:
		return fmt.Sprintf("line %d: %s", f.Line, f.Message)
	}
	return f.Message
}
