// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package storm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// The people of the bank, by what they may do: dev writes applications, ops starts releases,
// biz agrees to them, platform releases brakes, and auditor reads evidence.
var (
	staff  = []string{"dev", "ops", "biz"}
	duties = map[string]identityv1.Duty{"platform": identityv1.DutySystem, "auditor": identityv1.DutyAudit}
	roles  = []tenancyv1.RoleBinding{
		{Role: tenancyv1.RoleReleaser, Groups: []string{"bank-dev", "bank-ops"}},
		{Role: tenancyv1.RoleBusinessApprover, Groups: []string{"bank-biz"}},
	}
)

// password of everybody's account.
const password = "correct horse battery 7"

// policy has somebody of the business agree to whatever is released in production.
func policy() *approvalv1.ApprovalPolicy {
	return &approvalv1.ApprovalPolicy{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: approvalv1.ApprovalPolicySpec{
		Match:  approvalv1.Match{EnvironmentClasses: []tenancyv1.EnvironmentClass{tenancyv1.ClassProduction}},
		Stages: []approvalv1.Stage{{Name: "business", Parties: []approvalv1.Party{{Name: "business", Roles: []tenancyv1.Role{tenancyv1.RoleBusinessApprover}}}}},
	}}
}

// hire makes the people of the bank and logs them in.
func (b *bank) hire() {
	b.t.Helper()
	b.must(os.WriteFile(filepath.Join(b.Dir, "founder.yaml"), []byte("server: https://"+b.Address+"\ntokenFile: data/admin.token\ncaFile: ca.crt\n"), 0o600))
	for _, who := range staff {
		b.create(&identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: who}, Spec: identityv1.PersonSpec{Groups: []string{"bank-" + who}}})
		b.login(who)
	}
	for who, duty := range duties {
		b.create(&identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: who}, Spec: identityv1.PersonSpec{Duty: duty}})
		b.login(who)
	}
}

// login opens an account for somebody, as the founder, and logs him in.
func (b *bank) login(who string) {
	b.t.Helper()
	invitation := ""
	b.await("the server knows "+who, func() string {
		out, code := b.fairway("founder", "", "identity", "account", "add", "bank."+who, "--person", who)
		if code != 0 {
			return out
		}
		invitation = strings.TrimSpace(out)
		return ""
	})
	if out, code := b.fairway(who, invitation+"\n"+password+"\n", append([]string{"password", "--invitation-file", "-", "--new-password-file", "-"}, b.where()...)...); code != 0 {
		b.t.Fatalf("%s sets no password: exit %d\n%s", who, code, out)
	}
	b.comeIn(who)
}

// comeIn logs somebody in who has an account.
func (b *bank) comeIn(who string) {
	b.t.Helper()
	if out, code := b.fairway(who, password+"\n", append([]string{"login", "--user", "bank." + who, "--password-file", "-"}, b.where()...)...); code != 0 {
		b.t.Fatalf("%s does not come in: exit %d\n%s", who, code, out)
	}
}

// where is which server the command line talks to.
func (b *bank) where() []string {
	return []string{"--server", "https://" + b.Address, "--ca-file", filepath.Join(b.Dir, "ca.crt")}
}

// fairway is what somebody types, and what he reads.
func (b *bank) fairway(who, input string, words ...string) (out string, code int) {
	b.t.Helper()
	words = append(words, "--config", filepath.Join(b.Dir, who+".yaml"))
	command := exec.CommandContext(b.t.Context(), filepath.Join(b.Dir, "fairway"), words...) //nolint:gosec // what this test has built
	command.Stdin = strings.NewReader(input)
	said, wrong := &bytes.Buffer{}, &bytes.Buffer{}
	command.Stdout, command.Stderr = said, wrong
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return said.String() + wrong.String(), exit.ExitCode()
	case err != nil:
		b.t.Fatal(err)
	}
	return said.String(), 0
}

// does has somebody do what he may.
func (b *bank) does(who string, words ...string) string {
	b.t.Helper()
	out, code := b.fairway(who, "", words...)
	if code != 0 {
		b.t.Fatalf("%s: fairway %s: exit %d\n%s", who, strings.Join(words, " "), code, out)
	}
	return out
}

// refused has somebody try what he may not.
func (b *bank) refused(says, who string, words ...string) {
	b.t.Helper()
	out, code := b.fairway(who, "", words...)
	if code == 0 || !strings.Contains(out, says) {
		b.t.Errorf("%s: fairway %s: exit %d: %s; want a refusal with %q", who, strings.Join(words, " "), code, out, says)
	}
}

// release has ops start a Release of an application, and biz agree to it in production: it
// is ops' to ask for and nobody's to agree to who had a part in it. It returns its name.
func (b *bank) release(namespace, application string, more ...string) string {
	b.t.Helper()
	typed := append([]string{
		"release", "start", application, "-n", namespace, "--reason", "a test", "--ticket", "CHG-7",
		"--attach", "TestReport=TR-1", "--attach", "BackOutPlan=BO-1", "-o", "name",
	}, more...)
	_, made, _ := strings.Cut(strings.TrimSpace(b.does("ops", typed...)), "/")
	if b.classes[strings.TrimPrefix(namespace, "retail-")] != tenancyv1.ClassProduction {
		return made
	}
	request := made + "-1"
	b.await("approval of "+made+" is asked for", func() string {
		if err := b.hub.Get(b.t.Context(), client.ObjectKey{Namespace: namespace, Name: request}, &approvalv1.ApprovalRequest{}); err != nil {
			r := &releasev1.Release{}
			b.must(b.hub.Get(b.t.Context(), client.ObjectKey{Namespace: namespace, Name: made}, r))
			return fmt.Sprintf("%v: %s", err, words(r.Status.Conditions))
		}
		return ""
	})
	b.refused("asked for it", "ops", "approve", request, "-n", namespace)
	b.does("biz", "approve", request, "-n", namespace)
	return made
}
