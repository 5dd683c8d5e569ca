// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"fmt"
	"regexp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a person's id is made from.
const (
	// IDFromStaffNumber takes the bank's number of the person.
	IDFromStaffNumber = "StaffNumber"
	// IDFromLogin takes the name that the person types.
	IDFromLogin = "Login"
)

// SyncSettings keep the Persons in step with a directory. Groups are not among what is
// kept: they are known at each login.
type SyncSettings struct {
	// Every is how often the directory is listed. Default: 1h.
	Every metav1.Duration `json:"every,omitempty"`
	// ID says what a person's id is made from: StaffNumber or Login. Default: StaffNumber.
	ID string `json:"id,omitempty"`
	// IDPrefix comes before it, since an id begins with a letter. Default: p.
	IDPrefix string `json:"idPrefix,omitempty"`
	// DisableMissing disables people who came from the directory and are not in it any
	// more. Default: false.
	DisableMissing bool `json:"disableMissing,omitempty"`
	// DisableAtMost is how many are disabled at once; when more are missing nothing is
	// changed. Default: a tenth of them, and five at least.
	DisableAtMost int `json:"disableAtMost,omitempty"`
}

var idPrefix = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,19})$`)

// Ready fills in the defaults, and refuses what cannot be done.
func (s *SyncSettings) Ready() error {
	if s.Every.Duration == 0 {
		s.Every.Duration = time.Hour
	}
	if s.ID == "" {
		s.ID = IDFromStaffNumber
	}
	if s.IDPrefix == "" {
		s.IDPrefix = "p"
	}
	switch {
	case s.Every.Duration < time.Minute:
		return fmt.Errorf("sync.every: %s is too often: once a minute at most", s.Every.Duration)
	case s.ID != IDFromStaffNumber && s.ID != IDFromLogin:
		return fmt.Errorf("sync.id: %q is not known: write StaffNumber or Login", s.ID)
	case !idPrefix.MatchString(s.IDPrefix):
		return fmt.Errorf("sync.idPrefix: %q cannot begin an id: at most 20 lower-case letters, digits and dashes, a letter first", s.IDPrefix)
	case s.DisableAtMost < 0:
		return fmt.Errorf("sync.disableAtMost: %d is no number of people", s.DisableAtMost)
	}
	return nil
}

// IDOf is the person's id that a claim leads to; "" where it has nothing to make one from.
func (s SyncSettings) IDOf(c Claim) string {
	from := c.StaffNumber
	if s.ID == IDFromLogin {
		from = c.Login
	}
	if from == "" {
		return ""
	}
	return s.IDPrefix + fold(from)
}
