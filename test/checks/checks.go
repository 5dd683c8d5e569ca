// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package checks

// Check is one condition that refuses.
type Check struct {
	// Name of the check, and of the switch that takes it away.
	Name string
	// Keeps is what it keeps from happening.
	Keeps string
	// File that it stands in, and Line with its condition, as it stands there once: between
	// « and » where it refuses when it holds, between ‹ and › where it admits.
	File, Line string
	// In is the folder of the package whose Test fails without it.
	In, Test string
}

// All checks, in the order in which a request meets them.
var All = []Check{
	// Whoever comes.
	{"forged-impersonation", "a header that names somebody else as the one who asks", chain, `«strings.HasPrefix(folded, "impersonate-")»`, apiServer, "TestForgedHeaders"},
	{"forged-front", "a header that only a front proxy of Kubernetes sends", chain, `«strings.HasPrefix(folded, "x-remote-")»`, apiServer, "TestForgedHeaders"},
	{"origin", "a page of another origin", chain, `«!ok || !strings.EqualFold(host, r.Host)»`, httpAPI, "TestPagesOfOthers"},
	{"size-announced", "a body that is announced as too large, before it is known who asks", chain, `«r.ContentLength > route.BodyLimit»`, apiServer, "TestSizeComesBeforeIdentity"},
	{"size-sent", "a body that turns out too large", chain, `if «errors.As(err, &over)» {`, httpAPI, "TestBodiesWithoutALength"},
	{"knocks", "endless attempts to log in from one address", chain, `«!c.knocks.allow(Address(r.Context()), time.Now())»`, identityServer, "TestKnockingIsCounted"},

	// Who it is.
	{"bearer", "a credential that is no bearer token", credential, `if «len(bearer) != 1 || !ok || !strings.EqualFold(scheme, "Bearer") || given == "" || len(given) > 4096» {`, httpAPI, "TestCredentials"},
	{"cookies", "a second cookie that somebody planted", credential, `«len(found) != 1 || len(found[0]) > 4096»`, httpAPI, "TestCredentials"},
	{"csrf", "a write that another site has a browser send", credential, `«subtle.ConstantTimeCompare([]byte(csrf), []byte(CSRF(cookie))) != 1»`, identityServer, "TestTheConsolesCookie"},
	{"nobody", "a credential that belongs to nobody", chain, `person := asks.person
	if «err != nil» {`, apiServer, "TestEveryRoutePassesIdentityGateAndRecorder"},
	{"nameless", "a credential that names nobody", credential, `if «person.ID == ""» {
		return asker{}`, httpAPI, "TestCredentials"},
	{"session-kind", "a credential of no kind that there is", sessionCheck, `‹strings.HasPrefix(credential, k.prefix) && len(credential) == len(k.prefix)+43›`, sessions, "TestNoShapeReachesTheDatabase"},
	{"session-holds", "a session that has rested too long, or is too old", session, `return ‹now.Before(o.Expires) && now.Sub(o.Seen) < s.limits.Idle.Duration›`, sessions, "TestSessionsEndByThemselves"},
	{"session-parent", "a kubeconfig whose login has ended", sessionCheck, `«errors.Is(err, ErrNone) || err == nil && !now.Before(mother.Expires)»`, sessions, "TestALoginTakesItsKubectlAlong"},

	// What it may be about.
	{"scope", "what a machine's token is not for", credential, `why := person.Scope.Refuses(asked); «why != ""» {`, httpAPI, "TestScopesHoldOnEveryRoute"},
	{"scope-personal", "a machine that agrees to something or lets somebody in", login, `«r.Room == room || strings.HasPrefix(r.Path, "/apis/"+room+".fairway.cloud/")»`, identityRoom, "TestScopesOnlyTakeAway"},
	{"scope-reading", "a write with a token for reading", login, `if «s.ReadOnly» {`, identityRoom, "TestScopesOnlyTakeAway"},
	{"scope-namespace", "a request about a namespace that the token is not for", login, `«!slices.Contains(s.Namespaces, r.Namespace)»`, identityRoom, "TestScopesOnlyTakeAway"},
	{"share", "one person who takes all that there is", "internal/platform/httpapi/share.go", `if «s.busy[key] >= share» {`, httpAPI, "TestShareOfOnePerson"},
	{"dry-run", "a write that is passed off as a question", chain, `«!route.DryRun || len(values) != 1 || values[0] != "All"»`, httpAPI, "TestDryRunIsOffered"},
	{"slip-effect", "a route that changes something and says that it reads", chain, `«r.Effect == Reads && !r.Hub && r.Method != http.MethodGet && r.Method != http.MethodPost»`, apiServer, "TestRoutesThatCouldSlipThroughAreNotMounted"},
	{"slip-open", "a route open to everybody that changes something", chain, `«r.Open && (r.Effect != Reads || r.Method != http.MethodGet)»`, apiServer, "TestRoutesThatCouldSlipThroughAreNotMounted"},
	{"slip-unsaid", "a route that changes something and does not say what", chain, `«r.Effect == Writes && r.Describe == nil && !r.Login»`, apiServer, "TestRoutesThatCouldSlipThroughAreNotMounted"},

	// Whether it may happen now.
	{"gate-says-no", "what the Gate refuses", write, `case «!verdict.Allowed»:`, apiServer, "TestEveryRoutePassesIdentityGateAndRecorder"},
	{"gate-away", "what the Gate cannot judge", write, `case «err != nil»:
		return verdict`, apiServer, "TestEveryRoutePassesIdentityGateAndRecorder"},
	{"evidence-away", "what cannot be recorded", write, `if «err != nil» {
		return NewProblem(CodeEvidenceAway, "could not begin %s on %s: the evidence log does not take`, apiServer, "TestEveryRoutePassesIdentityGateAndRecorder"},
	{"policies-differ", "an act in production while the hub's policies are not those of this binary", "internal/identity/rights/gate.go", `case «!state.Whole»:`, identityRights, "TestGate"},
	{"policies-unknown", "an act in production while nobody has looked at the hub's policies", "internal/identity/rights/gate.go", `case «state.Unknown»:`, identityRights, "TestGate"},

	// As whom it reaches the hub.
	{"hub-system-user", "a person by the name of one of Kubernetes' or Fairway's own accounts", hub, `«strings.HasPrefix(person.ID, "system:") || person.ID == ownAccount»`, apiServer, "TestSystemIdentitiesAreRefused"},
	{"hub-system-group", "a person in one of their groups", hub, `«strings.HasPrefix(g, "system:") || slices.Contains(ownGroups, g)»`, apiServer, "TestSystemIdentitiesAreRefused"},
	{"hub-nobody", "a call to the hub as nobody, which would be as the server", hub, `if «person.ID == ""» {
		return errors.New("could not call the hub`, apiServer, "TestNobodyReachesTheHub"},
	{"hub-upgrade", "a session through the hub", proxy, `«r.Header.Get(name) != ""»`, apiServer, "TestProxyRefuses"},
	{"hub-hop", "a header that the client's Connection header names", proxy, `‹len(values) > 0 && !dropped[strings.ToLower(name)]›`, apiServer, "TestProxyBuildsHeadersAnew"},
	{"hub-method", "a method that kubectl does not need", proxy, `«!contains(hubMethods, r.Method)»`, apiServer, "TestProxyRefuses"},
	{"hub-path", "a path that could mean two things", proxy, `«strings.ContainsAny(raw, "%\\") || (clean != target && clean+"/" != target)»`, apiServer, "TestProxyRefuses"},
	{"hub-kubelet", "a way past the hub to kubelets and workloads", proxy, `«parts[i] == "proxy" && contains([]string{"nodes", "services", "pods"}, parts[i-2])»`, apiServer, "TestProxyRefuses"},
	{"hub-exec", "a shell through the hub", proxy, `«parts[i-2] == "pods" && contains([]string{"exec", "attach", "portforward"}, parts[i])»`, apiServer, "TestProxyRefuses"},
	{"hub-redirect", "a redirect of the hub's to another address", proxy, `«response.StatusCode >= 300 && response.StatusCode < 400 && response.StatusCode != http.StatusNotModified»`, apiServer, "TestProxyRefuses"},
	{"hub-watch-revoked", "a watch that outlives its credential", proxy, `if «httpapi.StillValid(r.Context()) != nil» {`, apiServer, "TestRevocationEndsOpenStreams"},
	{"events-revoked", "a stream of events that outlives its credential", "internal/server/events.go", `if «httpapi.StillValid(r.Context()) != nil» {`, apiServer, "TestEventsEndWithTheCredential"},
	{"logs-revoked", "a log that outlives the right to read it", "internal/server/logs.go", `if «!allowed» {`, apiServer, "TestALogEndsWithTheRight"},

	// What is another's answers as what is not there.
	{"list-item", "another's object in a list of all", "internal/server/kinds.go", `err := sees.sees(found.Items[i].GetNamespace()); «err != nil || !shown» {`, apiServer, "TestForeignAnswersAsMissing"},
	{"list-cluster", "an object without a namespace in a list of somebody who may not list it", "internal/server/kinds.go", `} else if «!sees.all» {`, apiServer, "TestForeignAnswersAsMissing"},
	{"refused-hidden", "a refusal that tells that something is there", "internal/server/kinds.go", `«mayErr != nil || !allowed» {`, apiServer, "TestForeignAnswersAsMissing"},
	{"seat", "another's instance", "internal/server/instances.go", `if «!allowed» {`, apiServer, "TestCard"},
	{"seat-list", "another's instances in a list", "internal/server/instances.go", `if ‹shown› {`, apiServer, "TestInstancesArePagedFilteredAndScoped"},
	{"events-others", "an event about another's object", "internal/server/events.go", `if ‹shown› {`, apiServer, "TestEventsTellWhatOneMaySee"},
	{"join", "taking a cluster in without the right to make clusters", "internal/server/applications.go", `if «!allowed» {`, apiServer, "TestWhoTakesAClusterIn"},

	// What nobody says of himself.
	{"stamp-own", "naming another as the one who asks, decides or delegates, or one's own groups or login in a decision", "internal/server/stamp.go", `case «!single || given != id»:`, apiServer, "TestNobodySpeaksForOthers"},

	{"proof-given", "a decision or a delegation with a proof that its author has made up", "internal/server/prove.go", `"spec", "proof"); «given && isProven(kind)» {`, apiServer, "TestNobodySpeaksForOthers"},

	// The rooms.
	{"accounts", "an account that anybody but a security administrator opens or changes", "internal/identity/server/accounts.go", `} else if «!may» {`, identityServer, "TestWhoManagesAccounts"},
	{"sessions-list", "a list of another's logins", identitySessions, `case «!all»:`, identityServer, "TestTokensAndSessionsOfOthers"},
	{"sessions-end", "ending another's login or token", identitySessions, `if ‹err == nil && all› {`, identityServer, "TestTokensAndSessionsOfOthers"},
	{"sessions-end-all", "ending all of another's logins", identitySessions, `«whose != "" && whose != id»`, identityServer, "TestWhoEndsAllOfAnothersLogins"},
	{"tokens-of-tokens", "a token made by somebody who came in by no login", "internal/identity/server/tokens.go", `if «errors.Is(err, session.ErrNone)» {
		// The founder`, identityServer, "TestOnlyALoginMakesTokens"},
	{"import", "an import of people or tenants without the right to make them", "internal/identity/register/import.go", `if «!allowed» {`, identityRegister, "TestImport"},
	{"ask-other", "what another may, told to somebody who may not read him", identityWho, `if «err != nil || !allowed» {
		return identity.Person{}`, identityRegister, "TestWhoMayDoWhat"},
	{"ask-everywhere", "who may everywhere, told to everybody", identityWho, `«err == nil && !allowed»`, identityRegister, "TestWhoMayDoWhat"},
	{"ask-here", "who may in another's namespace", identityWho, `if ‹err != nil || allowed› {`, identityRegister, "TestWhoMayDoWhat"},
	{"policies-shown", "the state of the hub's policies, told to everybody", identityWho, `if «!allowed» {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not show the`, identityRegister, "TestWhoMayDoWhat"},
	{"inbox-list", "another tenant's approval requests in the inbox", inbox, `if «!seen || (tab == ToDo && closed(r))» {`, approvalServer, "TestForeignIsMissing"},
	{"inbox-one", "another tenant's approval request", inbox, `if «!sees» {`, approvalServer, "TestForeignIsMissing"},
	{"evidence-one", "a record about another's namespace", auditHandlers, `if «!ok» {`, auditServer, "TestOneRecord"},
	{"evidence-list", "records about another's namespaces in a search", "internal/audit/server/query.go", `if ‹may› {`, auditServer, "TestEverybodySeesWhatHeMayRead"},
	{"evidence-export", "an export by somebody who may export nothing", "internal/audit/server/export.go", `«q.Scopes != nil && len(q.Scopes) == 0»`, auditServer, "TestAnExportIsSignedAndRecorded"},
	{"evidence-rebuild", "an index made anew by anybody", auditHandlers, `if «!may» {`, auditServer, "TestRebuilding"},
	{"evidence-retention", "how long evidence is kept, told to everybody", "internal/audit/server/retention.go", `if «!may» {`, auditServer, "TestRetention"},
	{"itsm-stranger", "a verdict under an account that is no system's", receiver, `if «i < 0» {`, itsm, "TestVerdictsThatAreRefused"},
	{"itsm-system", "a verdict in the name of another system", receiver, `«verdict.System != system.Name»`, itsm, "TestVerdictsThatAreRefused"},
	{"itsm-digest", "a verdict on another plan", receiver, `«request.Spec.Digest != v.Digest»`, itsm, "TestVerdictsThatAreRefused"},
	{"itsm-not-asked", "a verdict of a system that was not asked", receiver, `if «system != v.System» {`, itsm, "TestVerdictsThatAreRefused"},

	// The hub asks.
	{"hook-token", "a record of a write, made up by somebody who is not the hub", "internal/platform/admission/door.go", `«subtle.ConstantTimeCompare([]byte(given), []byte(d.Token)) != 1»`, "internal/audit/hooks", "TestNobodyElseWritesRecords"},
}

const (
	chain            = "internal/platform/httpapi/chain.go"
	credential       = "internal/platform/httpapi/credential.go"
	write            = "internal/platform/httpapi/write.go"
	login            = "internal/identity/login.go"
	session          = "internal/identity/session/session.go"
	sessionCheck     = "internal/identity/session/check.go"
	hub              = "internal/server/hub.go"
	proxy            = "internal/server/proxy.go"
	identitySessions = "internal/identity/server/sessions.go"
	identityWho      = "internal/identity/register/who.go"
	inbox            = "internal/approval/server/inbox.go"
	auditHandlers    = "internal/audit/server/handlers.go"
	receiver         = "internal/approval/itsm/receiver.go"

	httpAPI          = "internal/platform/httpapi"
	apiServer        = "internal/server"
	identityRoom     = "internal/identity"
	identityServer   = "internal/identity/server"
	identityRights   = "internal/identity/rights"
	identityRegister = "internal/identity/register"
	sessions         = "internal/identity/session"
	approvalServer   = "internal/approval/server"
	auditServer      = "internal/audit/server"
	itsm             = "internal/approval/itsm"
)
