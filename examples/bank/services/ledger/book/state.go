// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package book

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Capital is the bank's own account: opening balances come out of it.
const Capital = "capital"

// Transfer asks to move Amount (in the smallest unit of money) between two
// accounts. ID is the caller's, and makes repeating it safe.
type Transfer struct {
	ID     string `json:"id"`
	From   string `json:"from"`
	To     string `json:"to"`
	Amount int64  `json:"amount"`
}

// Balance is what an account holds.
type Balance struct {
	Account string `json:"account"`
	Balance int64  `json:"balance"`
}

// Invalid is a transfer that can never be recorded, and is not.
type Invalid struct{ why string }

func (i *Invalid) Error() string { return i.why }

func invalid(format string, args ...any) error { return &Invalid{fmt.Sprintf(format, args...)} }

// state is what the journal adds up to. It thinks and touches nothing.
type state struct {
	seq       int64
	balances  map[string]int64
	ids       map[string]int64 // id to sequence number
	transfers int64
	refused   int64
}

func newState() state {
	return state{balances: map[string]int64{}, ids: map[string]int64{}}
}

// decide makes the record of a transfer whose id is new.
func (s *state) decide(t Transfer, by, at string) (Record, error) {
	if t.ID == "" || len(t.ID) > 128 {
		return Record{}, invalid("id %.140q has no length between 1 and 128: give each transfer its own", t.ID)
	}
	if t.Amount <= 0 {
		return Record{}, invalid("amount %d is not above 0", t.Amount)
	}
	if t.From == t.To {
		return Record{}, invalid("account %q cannot pay itself", t.From)
	}
	for _, account := range []string{t.From, t.To} {
		if _, known := s.balances[account]; !known || account == Capital {
			return Record{}, invalid("account %.140q does not exist", account)
		}
	}
	r := Record{Seq: s.seq + 1, Kind: Done, ID: t.ID, From: t.From, To: t.To, Amount: t.Amount, By: by, At: at}
	if held := s.balances[t.From]; held < t.Amount {
		r.Kind, r.Reason = Refused, fmt.Sprintf("account %q holds %d, which is less than %d", t.From, held, t.Amount)
	} else if s.balances[t.To] > math.MaxInt64-t.Amount {
		r.Kind, r.Reason = Refused, fmt.Sprintf("account %q cannot hold that much", t.To)
	}
	return r, nil
}

// replay takes a record into the state, or says which rule it breaks.
func (s *state) replay(r Record) error {
	if r.Seq != s.seq+1 {
		return fmt.Errorf("record %d follows record %d", r.Seq, s.seq)
	}
	switch r.Kind {
	case Opening:
		if _, there := s.balances[r.To]; there || r.To == Capital || r.From != Capital || r.Amount < 0 {
			return fmt.Errorf("record %d opens account %q wrongly", r.Seq, r.To)
		}
		if s.balances[Capital] < math.MinInt64+r.Amount {
			return fmt.Errorf("record %d opens account %q with more than there is", r.Seq, r.To)
		}
	case Done, Refused:
		if _, there := s.ids[r.ID]; there {
			return fmt.Errorf("record %d repeats id %q", r.Seq, r.ID)
		}
		if r.Kind == Done && (r.Amount <= 0 || s.balances[r.From] < r.Amount) {
			return fmt.Errorf("record %d overdraws account %q", r.Seq, r.From)
		}
		s.ids[r.ID] = r.Seq
	default:
		return fmt.Errorf("record %d is of unknown kind %q", r.Seq, r.Kind)
	}
	s.seq = r.Seq
	switch r.Kind {
	case Refused:
		s.refused++
		return nil
	case Done:
		s.transfers++
	}
	s.balances[r.From] -= r.Amount
	s.balances[r.To] += r.Amount
	return nil
}

func (s *state) summary() Summary {
	out := Summary{Transfers: s.transfers, Refused: s.refused, Seq: s.seq}
	for account, balance := range s.balances {
		if account != Capital {
			out.Sum += balance
			out.Accounts++
		}
	}
	return out
}

func (s *state) list() []Balance {
	out := make([]Balance, 0, len(s.balances))
	for account, balance := range s.balances {
		if account != Capital {
			out = append(out, Balance{account, balance})
		}
	}
	slices.SortFunc(out, func(a, b Balance) int { return cmp.Compare(a.Account, b.Account) })
	return out
}
