// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package index_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
)

var monday = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)

// bank is a log of a bank's days, made by chance from a seed. It is read without
// being kept: each record is made when it is asked for.
type bank struct {
	seed uint64
	// acts in the log; each has an intent and an outcome, some outcomes come later.
	acts int
	// many says how many applications, people and tickets there are.
	applications, people int
}

// Size and Read make it an audit.Log.
func (b bank) records() []audit.Entry {
	var entries []audit.Entry
	type due struct {
		at     int
		intent int64
		o      audit.Outcome
	}
	var late []due
	chance := rand.New(rand.NewPCG(b.seed, 1))
	seq := int64(0)
	add := func(r audit.Record) {
		seq++
		r.Source, r.Sequence = "server-1", seq
		r.Time = monday.Add(time.Duration(seq) * 700 * time.Millisecond)
		entries = append(entries, audit.Entry{Index: uint64(len(entries)), Record: r})
	}
	for i := range b.acts {
		act, outcome := b.act(chance, i)
		add(audit.Record{Kind: audit.KindIntent, Act: &act})
		switch chance.IntN(10) {
		case 0:
			late = append(late, due{i + chance.IntN(50), seq, outcome})
		case 1:
			if chance.IntN(5) == 0 {
				continue // the server died
			}
			fallthrough
		default:
			add(audit.Record{Kind: audit.KindOutcome, Intent: seq, Outcome: &outcome})
		}
		if len(late) > 0 && late[0].at <= i {
			add(audit.Record{Kind: audit.KindOutcome, Intent: late[0].intent, Outcome: &late[0].o})
			late = late[1:]
		}
	}
	return entries
}

var (
	tenants      = []string{"retail", "corporate", "treasury", "cards", "risk"}
	environments = []string{"sit", "uat", "prod"}
	reasons      = []string{"账户服务 2.1 上线", "stuck thread after the night batch", "网点机构号 0231 报障", "month end: 资源扩容", "rollback, see the call", "例行变更"}
	results      = []audit.Result{audit.Done, audit.Done, audit.Done, audit.Done, audit.Done, audit.Done, audit.Failed, audit.Refused, audit.Unknown}
)

func pick[T any](chance *rand.Rand, of []T) T { return of[chance.IntN(len(of))] }

func (b bank) act(chance *rand.Rand, i int) (audit.Act, audit.Outcome) {
	environment := pick(chance, environments)
	namespace := pick(chance, tenants) + "-" + environment
	application := fmt.Sprintf("app-%d", chance.IntN(b.applications))
	release := fmt.Sprintf("%s/%s-%05x", namespace, application, chance.IntN(1+b.acts/20))
	act := audit.Act{
		Person: fmt.Sprintf("p%04d", chance.IntN(b.people)), Environment: environment, From: fmt.Sprintf("10.1.%d.%d", chance.IntN(20), chance.IntN(250)),
		Trace: fmt.Sprintf("%016x%016x", b.seed+1, i), Verdict: "policy production-change allows it",
	}
	outcome := audit.Outcome{Result: pick(chance, results)}
	if outcome.Result == audit.Failed {
		outcome.Message = "could not apply Deployment \"account\": the cluster answers 409"
	}
	switch chance.IntN(8) {
	case 0:
		act.Verb, act.Class, act.Subject = "identity.login", audit.ClassLogin, "Person/"+act.Person
		act.Environment = ""
	case 1:
		act.Verb, act.Class = "approval.decide", audit.ClassApproval
		act.Approval = fmt.Sprintf("req-%d", chance.IntN(1+b.acts/30))
		act.Subject = "Decision/" + namespace + "/" + act.Approval + "-a"
		act.Application, act.Release = namespace+"/"+application, release
	case 2:
		act.Verb, act.Subject = "app.apply", "Application/"+namespace+"/"+application
		act.After = fmt.Sprintf("sha256:%064x", chance.Uint64())
	case 3:
		act.Verb, act.Class, act.Subject = "release.create", audit.ClassChange, "Release/"+release
		act.Application = namespace + "/" + application
		act.Reason, act.Ticket = pick(chance, reasons), fmt.Sprintf("CHG-%06d", chance.IntN(1+b.acts/10))
	default:
		act.Verb, act.Class = "delivery.step", audit.ClassChange
		act.Cluster = fmt.Sprintf("east-%d", chance.IntN(12))
		act.Subject = "Delivery/fairway-cluster-" + act.Cluster + "/" + namespace + "-" + application
		act.Application, act.Release = namespace+"/"+application, release
		act.Reason, act.Ticket = pick(chance, reasons), fmt.Sprintf("CHG-%06d", chance.IntN(1+b.acts/10))
		act.Before, act.After = fmt.Sprintf("sha256:%064x", chance.Uint64()), fmt.Sprintf("sha256:%064x", chance.Uint64())
		act.Details = []string{"apply Deployment account-7f3a2b1c", fmt.Sprintf("seats %d to %d", chance.IntN(5), 5+chance.IntN(20))}
	}
	return act, outcome
}
