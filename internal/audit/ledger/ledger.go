// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/spool"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// Options of a ledger. Every field without "Default" is needed.
type Options struct {
	// Dir holds the log.
	Dir string
	// Source under which this process numbers its records. Default: "server".
	Source string
	// Spool is the folder that keeps the records of the way back while the log is
	// away; it belongs on another disk. Default: none, they are kept in memory.
	Spool string
	// Copy is the folder to which everything is copied, for a second place.
	// Default: none.
	Copy string
	// Witness countersigns checkpoints. Default: none.
	Witness *Witness
	// Witnessed says for which acts Intent waits until the witness has confirmed a
	// checkpoint that covers it. Default: none.
	Witnessed func(audit.Act) bool
	// Serve opens the log also where what the folder holds is not as it was written:
	// nothing is written then, reads go on, and the way back is kept in the spool.
	// Default: Open fails.
	Serve bool
	// Interval is the time from one checkpoint to the next. Default: 200 ms.
	Interval time.Duration
	// Now is the clock of the records. Default: time.Now.
	Now func() time.Time
	// Log for what no caller is told. Default: none.
	Log *slog.Logger
}

// Witness is where checkpoints are countersigned.
type Witness struct {
	// URL of the witness; "/add-checkpoint" is appended.
	URL string
	// Key is its public key, "<name>+<hash>+<key>".
	Key string
	// Client of its connections. Default: one that knows it by the machine's authorities.
	Client *http.Client
	// Patience is how long an intent waits for it. Default: 2 s.
	Patience time.Duration
}

const (
	// mostQueue is how many callers wait for the disk together.
	mostQueue = 1024
	// mostPending and mostPendingBytes bound what waits for the tree, in memory.
	mostPending      = 16384
	mostPendingBytes = 64 << 20
	// wayBackPatience is how long the way back waits for the disk.
	wayBackPatience = 3 * time.Second
)

// Errors of a ledger.
var (
	// ErrClosed says that the ledger was closed. The act was not begun.
	ErrClosed = errors.New("the evidence log is closed")
	// ErrUnwitnessed says that the witness did not confirm an intent in time. The act
	// was not begun, and the log says so; try again when the witness is back.
	ErrUnwitnessed = errors.New("no witness has confirmed the intent")
	// ErrAltered says that what the folder holds is not as it was written.
	ErrAltered = audit.ErrAltered
)

// Ledger implements audit.Recorder, audit.Spooler and audit.Log.
type Ledger struct {
	options  Options
	key      *sealing.Key
	verifier note.Verifier
	cosigner *cosigner
	spool    *spool.Spool
	lock     *os.File
	log      *slog.Logger

	queue chan *entry
	asks  chan func()
	ended chan struct{} // closed when the writer has ended
	// running are the goroutines; stop ends those that have no queue.
	running sync.WaitGroup
	writing sync.WaitGroup
	stop    context.CancelFunc
	live    context.Context

	wake, urgent, copying, recovering chan struct{}

	entering sync.RWMutex // held shared while something enters the queue
	shut     bool

	mu           sync.RWMutex // guards what follows
	years        []*yearLog
	waiting      [][]byte // durable records that no checkpoint covers yet
	waitingBytes int
	publishError error
	published    chan struct{} // closed and made anew at each checkpoint

	publishing sync.Mutex // one checkpoint at a time

	swept bool // owned by whoever restores

	// wrong is why nothing is written: what there is is not as it was written.
	wrong error

	// away and copyFailing are for those who watch.
	away, copyFailing atomic.Bool

	// owned by the writer
	account  audit.Account
	pending  *pending
	counted  uint64
	savedAt  time.Time
	savedFor uint64
}

// entry is one record on its way into the log.
type entry struct {
	record audit.Record
	// given says that source, number and time stand: the record was kept elsewhere.
	given bool
	// late says that an outcome was kept elsewhere, whose intent may be closed by now.
	late   bool
	year   *yearLog
	index  uint64
	result chan error
}

// begin writes what a new log begins with, and sees to what a crash left open. A
// log that cannot be written now opens all the same: it is as good as away.
func (l *Ledger) begin() {
	var left []audit.Left
	var err error
	l.ask(func() { left, err = l.account.Left(), l.openYear() })
	if err != nil {
		l.log.Error("the evidence log cannot be written; it is tried again with each record", "cause", err.Error())
	}
	_ = l.restore(left) // it is tried again
	l.running.Add(1)
	go l.recover(left)
}

// ask runs a function in the writer, which owns the counts. A writer that has ended
// answers nothing.
func (l *Ledger) ask(f func()) bool {
	done := make(chan struct{})
	select {
	case l.asks <- func() { f(); close(done) }:
		<-done
		return true
	case <-l.ended:
		return false
	}
}

func (l *Ledger) last() *yearLog {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.years[len(l.years)-1]
}

func (l *Ledger) logs() []*yearLog {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return append([]*yearLog(nil), l.years...)
}

// Wrong says why nothing is written to the log since it was opened, if so.
func (l *Ledger) Wrong() error { return l.wrong }

// PublicKey of the log, for those who verify it.
func (l *Ledger) PublicKey() string { return l.key.Public }

// Intent implements audit.Recorder.
func (l *Ledger) Intent(ctx context.Context, act audit.Act) (string, error) {
	e, err := l.append(ctx, audit.Record{Kind: audit.KindIntent, Act: &act}.Fitted())
	if err != nil {
		return "", err
	}
	id := strconv.FormatInt(e.record.Sequence, 10)
	place := audit.PlaceIn(ctx)
	if place != nil {
		place.Known, place.Index = true, e.year.base+e.index
	}
	if l.cosigner == nil || l.options.Witnessed == nil || audit.IsWayBack(ctx) || !l.options.Witnessed(act) {
		return id, nil
	}
	if err := l.confirmed(ctx, e); err != nil {
		return "", errors.Join(err, l.Outcome(context.WithoutCancel(ctx), id, audit.Outcome{Result: audit.Refused, Message: "the act was not begun: " + err.Error()}))
	}
	if place != nil {
		place.Witnessed = true
	}
	return id, nil
}

// Outcome implements audit.Recorder. While the log is away the outcome is kept in
// the spool.
func (l *Ledger) Outcome(ctx context.Context, id string, outcome audit.Outcome) error {
	source, number, spooled := strings.Cut(id, "/")
	if !spooled {
		source, number = l.options.Source, id
	}
	intent, err := strconv.ParseInt(number, 10, 64)
	if err != nil || intent < 1 || spooled && source != l.spool.Source() {
		return fmt.Errorf("could not record the outcome of %q: that is no number of an intent", id)
	}
	record := audit.Record{Kind: audit.KindOutcome, Intent: intent, Outcome: &outcome}.Fitted()
	if spooled {
		return l.keep(record)
	}
	_, err = l.append(ctx, record)
	if err == nil || errors.Is(err, errRefused) {
		return err
	}
	record.Source = source
	return l.keep(record)
}

// Spool implements audit.Spooler.
func (l *Ledger) Spool(_ context.Context, act audit.Act) (string, error) {
	number, err := l.spool.Keep(audit.Record{Time: l.options.Now().UTC(), Kind: audit.KindIntent, Act: &act}.Fitted())
	if err != nil {
		l.log.Error("a record of the way back is kept in memory only; it is written as soon as there is room", "verb", act.Verb, "subject", act.Subject, "actor", act.Person, "cause", err.Error())
	}
	signal(l.recovering)
	return fmt.Sprintf("%s/%d", l.spool.Source(), number), nil
}

// keep puts an outcome into the spool.
func (l *Ledger) keep(record audit.Record) error {
	record.Time = l.options.Now().UTC()
	if _, err := l.spool.Keep(record); err != nil {
		l.log.Error("an outcome is kept in memory only; it is written as soon as there is room", "intent", record.Intent, "cause", err.Error())
	}
	signal(l.recovering)
	return nil
}

// append brings a record into the log. Whoever cannot wait for a disk that hangs
// leaves; the record may become durable all the same, and is closed then.
func (l *Ledger) append(ctx context.Context, r audit.Record) (*entry, error) {
	back := audit.IsWayBack(ctx)
	if back {
		within, cancel := context.WithTimeout(ctx, wayBackPatience)
		defer cancel()
		ctx = within
	}
	e := &entry{record: r, result: make(chan error, 1)}
	if err := l.enqueue(ctx, e); err != nil {
		return nil, err
	}
	select {
	case err := <-e.result:
		return e, err
	case <-ctx.Done():
		go l.tooLate(e, back)
		return nil, fmt.Errorf("could not record in time: the disk of the evidence log hangs: %w", ctx.Err())
	}
}

// tooLate closes an intent that became durable when nobody waited for it any more.
func (l *Ledger) tooLate(e *entry, back bool) {
	if <-e.result != nil || e.record.Kind != audit.KindIntent {
		return
	}
	outcome := audit.Outcome{Result: audit.Refused, Message: "the act was not begun: whoever asked had left before its intent was on disk"}
	if back {
		outcome = audit.Outcome{Result: audit.Unknown, Message: "the log was too slow for the way back: the act went on, and its records are those of a spool"}
	}
	_ = l.Outcome(context.Background(), strconv.FormatInt(e.record.Sequence, 10), outcome)
}

func (l *Ledger) enqueue(ctx context.Context, e *entry) error {
	l.entering.RLock()
	defer l.entering.RUnlock()
	if l.shut {
		return ErrClosed
	}
	if l.wrong != nil {
		return fmt.Errorf("%w: %w", ErrAltered, l.wrong)
	}
	select {
	case l.queue <- e:
		return nil
	default:
	}
	select {
	case l.queue <- e:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("could not record: the evidence log is too slow: %w", ctx.Err())
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// start runs the writer, the publisher and those who follow checkpoints.
func (l *Ledger) start() {
	l.live, l.stop = context.WithCancel(context.Background())
	l.writing.Add(1)
	go l.write()
	l.running.Add(1)
	go l.publishAll()
	if l.cosigner != nil {
		l.running.Add(1)
		go l.cosignAll()
	}
	if l.options.Copy != "" {
		l.running.Add(1)
		go l.copyAll()
	}
}
