// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Register registers what operators watch of the log.
func (l *Ledger) Register(with prometheus.Registerer) error {
	gauge := func(o prometheus.GaugeOpts, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(o, value)
	}
	for _, c := range []prometheus.Collector{
		gauge(prometheus.GaugeOpts{Name: "fairway_audit_records", Help: "Records that the newest checkpoints cover, over all years."},
			func() float64 { return float64(sizeOf(l.logs())) }),
		gauge(prometheus.GaugeOpts{Name: "fairway_audit_pending_records", Help: "Durable records that no checkpoint covers yet."},
			func() float64 { l.mu.RLock(); defer l.mu.RUnlock(); return float64(len(l.waiting)) }),
		gauge(prometheus.GaugeOpts{Name: "fairway_audit_away", Help: "1 while the last record could not be made durable: acts are refused, the way back excepted."},
			func() float64 { return one(l.away.Load()) }),
		gauge(prometheus.GaugeOpts{Name: "fairway_audit_altered", Help: "1 where the log was not as it was written when the server started: nothing is written to it until it is restored."},
			func() float64 { return one(l.wrong != nil) }),
		gauge(prometheus.GaugeOpts{Name: "fairway_audit_spooled", Help: "1 while records of the way back wait in the spool for the log."},
			func() float64 { return one(!l.spool.Empty()) }),
		gauge(prometheus.GaugeOpts{Name: "fairway_audit_unwitnessed_records", Help: "Records under a checkpoint that the witness has not confirmed yet; 0 where there is no witness."},
			l.unwitnessed),
		gauge(prometheus.GaugeOpts{Name: "fairway_audit_copy_failing", Help: "1 while the second copy of the log does not follow."},
			func() float64 { return one(l.copyFailing.Load()) }),
	} {
		with.Unregister(c) // those of a log that was closed
		if err := with.Register(c); err != nil {
			return fmt.Errorf("could not register a metric of the evidence log: %w", err)
		}
	}
	return nil
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (l *Ledger) unwitnessed() float64 {
	if l.cosigner == nil {
		return 0
	}
	n := uint64(0)
	for _, y := range l.logs() {
		n += y.size() - min(y.size(), y.cosignedSize())
	}
	return float64(n)
}
