// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package book

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

// Kinds of record.
const (
	// Opening gives an account its first balance, out of capital.
	Opening = "opening"
	// Done is a transfer that moved money.
	Done = "done"
	// Refused is a transfer that moved nothing, for ever: its id is spent.
	Refused = "refused"
)

// Record is one line of the journal: Amount leaves From and enters To, unless
// it is Refused. It is also the answer to the transfer, so that a repeated id
// is answered alike.
type Record struct {
	Seq    int64  `json:"seq"`
	Kind   string `json:"status"`
	ID     string `json:"id,omitempty"`
	From   string `json:"from"`
	To     string `json:"to"`
	Amount int64  `json:"amount"`
	// Reason says why a transfer was refused.
	Reason string `json:"error,omitempty"`
	// By is the seat of the ledger that wrote the record.
	By string `json:"by,omitempty"`
	// At is when, RFC 3339.
	At string `json:"at,omitempty"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode writes "checksum JSON\n".
func (r Record) encode() []byte {
	body, err := json.Marshal(r)
	if err != nil {
		panic(err) // numbers and strings always encode
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(body, castagnoli), body)
}

// decode reads one line; what is torn, zeroed or altered does not pass.
func decode(line []byte) (Record, error) {
	var r Record
	body, whole := bytes.CutSuffix(line, []byte("\n"))
	if !whole {
		return r, errors.New("the record has no end")
	}
	if len(body) < 10 || body[8] != ' ' {
		return r, errors.New("the record has no checksum")
	}
	want, err := strconv.ParseUint(string(body[:8]), 16, 32)
	if err != nil {
		return r, errors.New("the record has no checksum")
	}
	body = body[9:]
	if crc32.Checksum(body, castagnoli) != uint32(want) {
		return r, errors.New("the record's checksum differs")
	}
	return r, json.Unmarshal(body, &r)
}
