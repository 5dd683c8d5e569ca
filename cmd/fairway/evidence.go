// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// evidenceOptions are the flags of the evidence log.
type evidenceOptions struct {
	dir, spool, copy               string
	witness, witnessKey, witnessCA string
}

func (o *evidenceOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&o.dir, "evidence-dir", "", "folder of the evidence log, on a disk that is backed up (default <data-dir>/evidence)")
	flags.StringVar(&o.spool, "evidence-spool", "", "folder, on another disk, for the records of the way back while the log cannot be written (default <data-dir>/evidence-spool)")
	flags.StringVar(&o.copy, "evidence-copy", "", "folder in a second place to which the log is copied all the time; what is there is never overwritten; empty: none")
	flags.StringVar(&o.witness, "witness", "", "address of the witness that countersigns the log, such as https://witness.bank.example:8444; acts in production wait for it; empty: none")
	flags.StringVar(&o.witnessKey, "witness-key", "", "public key of the witness: the key itself or its file")
	flags.StringVar(&o.witnessCA, "witness-ca", "", "certificate authority of the witness, PEM (default: those of this machine)")
}

// open opens the evidence log and takes over what an earlier version wrote.
func (o evidenceOptions) open(dataDir string, production *production, log *slog.Logger) (*ledger.Ledger, error) {
	options := ledger.Options{
		Dir: cmp.Or(o.dir, filepath.Join(dataDir, "evidence")), Spool: cmp.Or(o.spool, filepath.Join(dataDir, "evidence-spool")), Copy: o.copy,
		Witnessed: production.holds, Serve: true, Log: log,
	}
	var err error
	if options.Witness, err = o.readWitness(); err != nil {
		return nil, err
	}
	evidence, err := ledger.Open(options)
	if err != nil {
		return nil, err
	}
	if evidence.Wrong() != nil {
		return evidence, nil
	}
	if err := evidence.Adopt(filepath.Join(dataDir, "evidence.jsonl")); err != nil {
		return nil, errors.Join(err, evidence.Close())
	}
	return evidence, nil
}

func (o evidenceOptions) readWitness() (*ledger.Witness, error) {
	if o.witness == "" {
		return nil, nil
	}
	at, err := url.Parse(o.witness)
	if err != nil || at.Host == "" || at.Scheme != "https" && !(at.Scheme == "http" && isLoopback(at.Host)) {
		return nil, fmt.Errorf("could not use witness %q: expected https://host:port; http is for this machine only", o.witness)
	}
	if o.witnessKey == "" {
		return nil, errors.New("could not use the witness: its public key is needed, see --witness-key")
	}
	key, err := sealing.PublicKey(o.witnessKey)
	if err != nil {
		return nil, err
	}
	sealed, err := sealing.Client{CAFile: o.witnessCA}.HTTP(&http.Transport{MaxIdleConns: 2, IdleConnTimeout: time.Minute})
	if err != nil {
		return nil, err
	}
	// The witness has one address: no proxy and no redirect leads elsewhere.
	return &ledger.Witness{URL: o.witness, Key: key, Client: &http.Client{
		Timeout:       10 * time.Second,
		Transport:     sealed,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// production says which acts happen in production. The hub is known only once the
// manager runs; what cannot be found out counts as production.
type production struct{ hub atomic.Pointer[client.Reader] }

func (p *production) know(hub client.Reader) { p.hub.Store(&hub) }

func (p *production) holds(act audit.Act) bool {
	if act.Environment == "" {
		return false
	}
	hub := p.hub.Load()
	if hub == nil {
		return true
	}
	// From memory, once the lists have been filled.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	environment := &tenancyv1.Environment{}
	if err := (*hub).Get(ctx, client.ObjectKey{Name: act.Environment}, environment); err != nil {
		return true
	}
	return environment.Spec.Class != tenancyv1.ClassDevelopment && environment.Spec.Class != tenancyv1.ClassTest
}
