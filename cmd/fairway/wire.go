// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	app "github.com/fairway-cloud/fairway/internal/app/controller"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/cases"
	"github.com/fairway-cloud/fairway/internal/approval/itsm"
	"github.com/fairway-cloud/fairway/internal/approval/proof"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/crosscheck"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	auditserver "github.com/fairway-cloud/fairway/internal/audit/server"
	delivery "github.com/fairway-cloud/fairway/internal/delivery/controller"
	fleet "github.com/fairway-cloud/fairway/internal/fleet/controller"
	"github.com/fairway-cloud/fairway/internal/identity/amendments"
	identity "github.com/fairway-cloud/fairway/internal/identity/controller"
	"github.com/fairway-cloud/fairway/internal/identity/rights"
	"github.com/fairway-cloud/fairway/internal/images/registry"
	placement "github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/history"
	"github.com/fairway-cloud/fairway/internal/placement/inventory"
	"github.com/fairway-cloud/fairway/internal/placement/keeper"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
	"github.com/fairway-cloud/fairway/internal/platform/leadership"
	"github.com/fairway-cloud/fairway/internal/platform/members/connections"
	"github.com/fairway-cloud/fairway/internal/platform/outbox"
	"github.com/fairway-cloud/fairway/internal/platform/readmodel"
	release "github.com/fairway-cloud/fairway/internal/release/controller"
	"github.com/fairway-cloud/fairway/internal/release/kept"
	"github.com/fairway-cloud/fairway/internal/release/rendering"
	"github.com/fairway-cloud/fairway/internal/server"
	tenancy "github.com/fairway-cloud/fairway/internal/tenancy/controller"
)

// house is what the parts of the server are wired from.
type house struct {
	options  serverOptions
	log      *slog.Logger
	mgr      ctrl.Manager
	lock     *leadership.Lock
	door     *door
	database *database.DB
	cases    *cases.Reader
	proofs   *proof.Keys
	gate     approval.Gate
	rights   *rights.Rights
	reviews  authorizationclient.SubjectAccessReviewInterface
	recorder audit.Recorder
	ledger   *ledger.Ledger
	caller   *server.Hub
	audit    auditserver.Deps
	members  *connections.Connections
	images   *registry.Resolver
	store    *readmodel.Store
	sink     *readmodel.Sink
	outbox   *outbox.Outbox
	itsm     *itsm.Receiver
	stops    *kept.Stops
	keeper   *keeper.Keeper
	delivery *delivery.Reconciler

	history   *history.Store
	inventory *inventory.Store
	publisher *inventory.Publisher

	index      *index.Store
	crosscheck *crosscheck.Watch
	// amendments gathers what changes of who is who are judged by.
	amendments *amendments.Reader
}

// part is one controller or service, by the name under which logs and metrics know it.
type part struct {
	name string
	add  func(*house, context.Context) error
}

// parts lists everything that runs in a server, in the order in which it is made:
// what guards the Gate comes first. Controllers run on the leader
// only; the read model's writer and the API run on every replica.
var parts = []part{
	{"identity.rights", (*house).addRights},
	{"members", (*house).addMembers},
	{"fleet", (*house).addFleet},
	{"tenancy.tenants", (*house).addTenancy},
	{"identity.people", (*house).addPeople},
	{"identity.amendments", (*house).addAmendments},
	{"identity.sync", (*house).addSync},
	{"app.revisions", (*house).addApp},
	{"placement.keeper", (*house).addKeeper}, // before who is wired with it
	{"placement.expiry", (*house).addExpiry},
	{"placement.machines", (*house).addMachines},
	{"placement.lost", (*house).addLost},
	{"placement.profiles", (*house).addProfiles},
	{"approval", (*house).addApprovals},
	{"placement.waiting", (*house).addWaiting},
	{"release.stops", (*house).addStops},
	{"delivery.apply", (*house).addDelivery},
	{"release.steps", (*house).addReleases}, // after who delivers what it renders
	{"release.automatic", (*house).addAutomatic},
	{"release.cleanup", (*house).addCleanup},
	{"delivery.feed", (*house).addFeed},
	{"readmodel", (*house).addReadModel},
	{"audit.index", (*house).addIndex},
	{"audit.crosscheck", (*house).addCrosscheck},
	{"audit.sinks", (*house).addSinks},
	{"outbox", (*house).addOutbox},
	{"approval.itsm", (*house).addITSM},
	{"approval.notify", (*house).addNotify},
	{"placement.inventory", (*house).addInventory},
	{"placement.history", (*house).addHistory},
	{"server", (*house).addAPI},
}

// wire adds every part to the manager.
func (h *house) wire(ctx context.Context) error {
	if err := errors.Join(fields.Add(ctx, h.mgr.GetFieldIndexer()), rendering.Index(ctx, h.mgr.GetFieldIndexer())); err != nil {
		return fmt.Errorf("could not have the cache find by application: %w", err)
	}
	for _, p := range parts {
		if err := p.add(h, ctx); err != nil {
			return fmt.Errorf("could not start %s: %w", p.name, err)
		}
	}
	return nil
}

func (h *house) addMembers(context.Context) error { return h.mgr.Add(h.members) }

func (h *house) addFleet(context.Context) error {
	h.crosscheck = &crosscheck.Watch{}
	return fleet.Setup(h.mgr, fleet.Options{Connections: h.members, Gate: h.gate, Recorder: h.recorder, Audit: h.audited, OnAudit: h.crosscheck.OnChange})
}

func (h *house) addTenancy(context.Context) error {
	return tenancy.Setup(h.mgr, tenancy.Options{Gate: h.gate, Recorder: h.recorder})
}

func (h *house) addPeople(context.Context) error {
	return (&identity.Reconciler{Hub: h.mgr.GetClient(), Now: time.Now}).SetupWithManager(h.mgr)
}

func (h *house) addApp(context.Context) error {
	return (&app.Reconciler{Hub: h.mgr.GetClient(), Resolver: h.images, Recorder: h.recorder, Now: time.Now}).SetupWithManager(h.mgr)
}

func (h *house) addExpiry(context.Context) error {
	return (&placement.Expiry{Hub: h.mgr.GetClient(), Clock: clock.RealClock{}, Events: h.mgr.GetEventRecorder("fairway-placement")}).SetupWithManager(h.mgr)
}

// addWaiting has instances placed anew that wait for room.
func (h *house) addWaiting(context.Context) error {
	return (&placement.Waiting{
		Hub: h.mgr.GetClient(), Direct: h.mgr.GetAPIReader(), Kept: h.stops.Braked, Fence: h.lock, Recorder: h.recorder, Clock: clock.RealClock{}, Events: h.mgr.GetEventRecorder("fairway-placement"),
	}).SetupWithManager(h.mgr)
}

// addHistory records what pools hold, day by day.
func (h *house) addHistory(ctx context.Context) error {
	store, err := history.Open(ctx, h.database)
	if err != nil {
		return err
	}
	h.history = store
	return h.mgr.Add(&history.Recorder{Hub: h.mgr.GetClient(), Store: store, Clock: clock.RealClock{}, Log: h.log})
}

func (h *house) addKeeper(context.Context) error {
	h.keeper = keeper.New(h.mgr.GetClient(), h.mgr.GetAPIReader(), clock.RealClock{})
	return errors.Join(registered(metrics.Registry, h.keeper.Metrics()), h.keeper.Follow(h.mgr))
}

func (h *house) addReleases(context.Context) error {
	hub, direct := h.mgr.GetClient(), h.mgr.GetAPIReader()
	return (&release.Reconciler{
		Hub: hub, Direct: direct,
		Placer:    &placement.Placer{Hub: hub, Direct: direct, Clock: clock.RealClock{}, Keeper: h.keeper, Fence: h.lock},
		Renderer:  &rendering.Renderer{Hub: hub, Members: h.members, DNSNetworks: h.options.dnsNetworks},
		Stored:    h.delivery.Library.Stored,
		Instances: &release.Finder{Hub: hub, Members: h.members}, Stops: h.stops,
		Gate: h.gate, Brakes: &placement.Brakes{Direct: direct, Kept: h.stops.Braked}, Recorder: h.recorder, Clock: clock.RealClock{}, Events: h.mgr.GetEventRecorder("fairway-release"),
		Gather: 500 * time.Millisecond,
	}).SetupWithManager(h.mgr)
}

func (h *house) addAutomatic(context.Context) error {
	return (&release.Automatic{Hub: h.mgr.GetClient(), Recorder: h.recorder}).SetupWithManager(h.mgr)
}

func (h *house) addCleanup(context.Context) error {
	return (&release.Cleanup{Hub: h.mgr.GetClient(), Direct: h.mgr.GetAPIReader(), Gate: h.gate, Recorder: h.recorder}).SetupWithManager(h.mgr)
}

func (h *house) addDelivery(context.Context) error {
	h.delivery = &delivery.Reconciler{
		Hub: h.mgr.GetClient(), Renderings: h.mgr.GetAPIReader(), Members: h.members, Fence: h.lock, Epoch: h.lock.Epoch,
		Gate: h.gate, Recorder: h.recorder, Events: h.mgr.GetEventRecorder("fairway-delivery"),
	}
	return h.delivery.SetupWithManager(h.mgr)
}

func (h *house) addFeed(context.Context) error {
	(&delivery.Feed{Hub: h.mgr.GetClient(), Members: h.members, Sink: h.sink}).Start()
	return nil
}
