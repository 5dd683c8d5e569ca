// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ldap_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/ldap"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

const (
	suffix  = "dc=bank,dc=example"
	admin   = "cn=admin," + suffix
	service = "cn=fairway,ou=services," + suffix
)

// slapd is Debian's OpenLDAP with a small bank in it.
type slapd struct {
	dir          string
	plain, ldaps string
	ca           string
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func startSlapd(t *testing.T) *slapd {
	t.Helper()
	binary := "/usr/sbin/slapd"
	if _, err := os.Stat(binary); err != nil {
		t.Skip("slapd is not installed: apt-get install slapd")
	}
	dir, err := os.MkdirTemp("", "fairway-slapd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &slapd{dir: dir, plain: free(t), ldaps: free(t), ca: filepath.Join(dir, "ca.crt")}
	authority, err := pki.New("bank")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(pki.Request{CommonName: "ldap", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/pid
TLSCACertificateFile %[1]s/ca.crt
TLSCertificateFile %[1]s/tls.crt
TLSCertificateKeyFile %[1]s/tls.key
sizelimit 500
database mdb
suffix "%[2]s"
rootdn "%[3]s"
rootpw "root-secret"
directory %[1]s/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="%[4]s" read by anonymous auth by * none
`, dir, suffix, admin, service)
	for name, content := range map[string][]byte{"slapd.conf": []byte(conf), "ca.crt": authority.CertPEM(), "tls.crt": pair.Cert, "tls.key": pair.Key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	output := &strings.Builder{}
	server := exec.Command(binary, "-f", filepath.Join(dir, "slapd.conf"), "-h", "ldap://"+s.plain+" ldaps://"+s.ldaps, "-d", "0")
	server.Stdout, server.Stderr = output, output
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
	})
	deadline := time.Now().Add(15 * time.Second)
	for {
		c, err := goldap.DialURL("ldap://" + s.plain)
		if err == nil {
			s.fill(t, c)
			_ = c.Close()
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("slapd does not come up: %v\n%s", err, output)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *slapd) fill(t *testing.T, c *goldap.Conn) {
	t.Helper()
	if err := c.Bind(admin, "root-secret"); err != nil {
		t.Fatal(err)
	}
	add := func(dn string, attributes ...string) {
		t.Helper()
		request := goldap.NewAddRequest(dn, nil)
		values := map[string][]string{}
		for _, a := range attributes {
			name, value, _ := strings.Cut(a, "=")
			values[name] = append(values[name], value)
		}
		for name, v := range values {
			request.Attribute(name, v)
		}
		if err := c.Add(request); err != nil {
			t.Fatalf("%s: %v", dn, err)
		}
	}
	add(suffix, "objectClass=dcObject", "objectClass=organization", "dc=bank", "o=Bank")
	for _, ou := range []string{"people", "old", "groups", "services"} {
		add("ou="+ou+","+suffix, "objectClass=organizationalUnit", "ou="+ou)
	}
	add(service, "objectClass=organizationalRole", "objectClass=simpleSecurityObject", "cn=fairway", "userPassword=service-secret")
	person := func(ou, cn, uid, password string, more ...string) {
		add("cn="+cn+",ou="+ou+","+suffix, append([]string{"objectClass=inetOrgPerson", "cn=" + cn, "sn=" + cn, "uid=" + uid, "userPassword=" + password}, more...)...)
	}
	person("people", "Zhang San", "zhang.san", "zhang-pw", "mail=zhang.san@bank.example", "employeeNumber=10023", "departmentNumber=信息科技部")
	person("people", "Li Si", "li.si", "li-pw")
	person("people", "Twin One", "twin", "twin-pw")
	person("old", "Twin Two", "twin", "twin-pw")
	person("people", "Star", "a*b(c)", "star-pw")
	add("cn=Elsewhere,ou=people,"+suffix, "objectClass=referral", "objectClass=extensibleObject", "cn=Elsewhere", "uid=far.away", "ref=ldap://127.0.0.1:1/cn=Elsewhere")
	dev, all := "cn=dev,ou=groups,"+suffix, "cn=staff,ou=groups,"+suffix
	add(dev, "objectClass=groupOfNames", "cn=dev", "member=cn=Zhang San,ou=people,"+suffix)
	add(all, "objectClass=groupOfNames", "cn=staff", "member="+dev)
	add("cn=everybody,ou=groups,"+suffix, "objectClass=groupOfNames", "cn=everybody", "member="+all)
	// A circle must not be followed for ever.
	circle := goldap.NewModifyRequest(dev, nil)
	circle.Add("member", []string{"cn=everybody,ou=groups," + suffix})
	if err := c.Modify(circle); err != nil {
		t.Fatal(err)
	}
}

func directory(t *testing.T, url string, change func(*identity.LDAPSettings)) *ldap.Directory {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("service-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, err := identity.ReadSettings([]byte("providers: [{name: ad, ldap: {url: '" + url + "', bindDN: '" + service + "', passwordFile: '" + secret +
		"', baseDN: '" + suffix + "', groupBaseDN: 'ou=groups," + suffix + "', nestedGroups: 1}}]"))
	if err != nil {
		t.Fatal(err)
	}
	s := *settings.Providers[0].LDAP
	if change != nil {
		change(&s)
	}
	d, err := ldap.New("ad", s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLoginAtARealDirectory(t *testing.T) {
	s := startSlapd(t)
	withCA := func(l *identity.LDAPSettings) { l.CAFile = s.ca }
	for name, d := range map[string]*ldap.Directory{
		"LDAPS": directory(t, "ldaps://"+s.ldaps, withCA), "StartTLS": directory(t, "ldap://"+s.plain, withCA),
		"Plain": directory(t, "ldap://"+s.plain, func(l *identity.LDAPSettings) { l.Plain = true }),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := d.Vouch(t.Context(), "ZHANG.san", "zhang-pw", "")
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Claim.Subject) != 36 {
				t.Errorf("the entry's own id names him for good: %q", got.Claim.Subject)
			}
			got.Claim.Subject = ""
			want := identity.Claim{Provider: "ad", Login: "zhang.san", Name: "Zhang San", Mail: "zhang.san@bank.example", StaffNumber: "10023", Unit: "信息科技部",
				Groups: []string{"dev", "staff"}}
			if diff := cmp.Diff(want, got.Claim); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	d := directory(t, "ldaps://"+s.ldaps, withCA)
	for name, test := range map[string]struct{ reason, login, password string }{
		"Wrong":     {"the password is wrong", "zhang.san", "li-pw"},
		"Empty":     {"a bind without a password is answered with success", "zhang.san", ""},
		"Zero":      {"a password that ends early for a server in C", "zhang.san", "\x00"},
		"Unknown":   {"there is no such name", "wang.wu", "zhang-pw"},
		"Twin":      {"two entries have the name: nobody can say who it is", "twin", "twin-pw"},
		"Star":      {"the name is no pattern", "zhang*", "zhang-pw"},
		"Injection": {"the name is no filter", "zhang.san)(uid=*", "zhang-pw"},
		"Or":        {"nor the end of one", "*)(|(uid=*", "zhang-pw"},
		"Spaces":    {"the directory would find it, but it is not written so", "zhang.san ", "zhang-pw"},
		"Wide":      {"full-width letters are other letters", "ｚhang.san", "zhang-pw"},
		"Bidi":      {"nothing that is not seen", "zhang.san\u202e", "zhang-pw"},
		"Referral":  {"other servers are not asked", "far.away", "zhang-pw"},
		"Service":   {"our own account is nobody", "fairway", "service-secret"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := d.Vouch(t.Context(), test.login, test.password, ""); !errors.Is(err, identity.ErrRefused) {
				t.Errorf("%s: %+v %v", test.reason, got, err)
			}
		})
	}
	if got, err := d.Vouch(t.Context(), "a*b(c)", "star-pw", ""); err != nil || got.Claim.Login != "a*b(c)" {
		t.Errorf("a name of odd characters is a name: %+v %v", got, err)
	}
	deep := directory(t, "ldaps://"+s.ldaps, func(l *identity.LDAPSettings) { l.CAFile, l.NestedGroups = s.ca, 10 })
	if got, err := deep.Vouch(t.Context(), "zhang.san", "zhang-pw", ""); err != nil || !cmp.Equal(got.Claim.Groups, []string{"dev", "everybody", "staff"}) {
		t.Errorf("a circle of groups ends: %v %v", got.Claim.Groups, err)
	}
	for name, change := range map[string]func(*identity.LDAPSettings){
		"Stranger": func(*identity.LDAPSettings) {},
		"Password": func(l *identity.LDAPSettings) {
			l.CAFile, l.PasswordFile = s.ca, filepath.Join(t.TempDir(), "other")
			_ = os.WriteFile(l.PasswordFile, []byte("canary-not-it"), 0o600)
		},
		"Subject": func(l *identity.LDAPSettings) { l.CAFile, l.SubjectAttribute = s.ca, "objectGUID" },
	} {
		t.Run("Away"+name, func(t *testing.T) {
			_, err := directory(t, "ldaps://"+s.ldaps, change).Vouch(t.Context(), "zhang.san", "zhang-pw", "")
			if !errors.Is(err, identity.ErrAway) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "zhang-pw") {
				t.Errorf("what is set up wrongly is away, and tells no secret: %v", err)
			}
		})
	}
}

// hostile answers a connection in any way.
func hostile(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}

func TestADirectoryThatIsSlowLiesOrIsAway(t *testing.T) {
	gone := free(t)
	success := []byte{0x30, 0x0c, 0x02, 0x01, 0x01, 0x61, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00}
	addresses := map[string]string{
		"Away":   gone,
		"Silent": hostile(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }),
		"Drops":  hostile(t, func(c net.Conn) { _ = c.Close() }),
		"Noise": hostile(t, func(c net.Conn) {
			_, _ = c.Write([]byte(strings.Repeat("HTTP/1.1 400 Bad Request\r\n", 100)))
			_ = c.Close()
		}),
		"Huge": hostile(t, func(c net.Conn) {
			_, _ = c.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1, 1})
			_, _ = io.Copy(io.Discard, c)
		}),
		"Drip": hostile(t, func(c net.Conn) {
			for _, b := range success {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}),
	}
	for name, address := range addresses {
		for way, c := range map[string]struct {
			scheme string
			plain  bool
		}{"": {"ldap://", true}, "AndSTARTTLS": {"ldap://", false}, "AndTLS": {"ldaps://", false}} {
			t.Run(name+way, func(t *testing.T) {
				t.Parallel()
				d := directory(t, c.scheme+address, func(l *identity.LDAPSettings) { l.Plain, l.Timeout.Duration = c.plain, 500*time.Millisecond })
				began := time.Now()
				_, err := d.Vouch(t.Context(), "zhang.san", "canary-pw", "")
				if !errors.Is(err, identity.ErrAway) || strings.Contains(err.Error(), "canary") {
					t.Errorf("nobody gets in, and it is told apart from a wrong password: %v", err)
				}
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("a login ends in time, it took %s", took)
				}
			})
		}
	}
}

// A server without TLS where TLS is asked for sees no password.
func TestNoPasswordWithoutTLS(t *testing.T) {
	heard := make(chan string, 10)
	address := hostile(t, func(c net.Conn) {
		raw := make([]byte, 4096)
		n, _ := c.Read(raw)
		heard <- string(raw[:n])
		// "StartTLS? I am unwilling."
		_, _ = c.Write([]byte{0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, 0x35, 0x04, 0x00, 0x04, 0x00})
		n, _ = c.Read(raw)
		heard <- string(raw[:n])
		_ = c.Close()
	})
	d := directory(t, "ldap://"+address, func(l *identity.LDAPSettings) { l.Timeout.Duration = time.Second })
	if _, err := d.Vouch(t.Context(), "zhang.san", "canary-pw", ""); !errors.Is(err, identity.ErrAway) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		select {
		case text := <-heard:
			if strings.Contains(text, "secret") || strings.Contains(text, "canary") {
				t.Errorf("a password went out unencrypted: %q", text)
			}
		case <-time.After(3 * time.Second):
		}
	}
}

// Somebody in between with a certificate of his own is found out.
func TestAnotherCertificate(t *testing.T) {
	evil, err := pki.New("evil")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := evil.Issue(pki.Request{CommonName: "ldap", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	address := hostile(t, func(c net.Conn) {
		_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}).HandshakeContext(context.Background())
		_ = c.Close()
	})
	bank, err := pki.New("bank")
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, bank.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	d := directory(t, "ldaps://"+address, func(l *identity.LDAPSettings) { l.CAFile = ca })
	if _, err := d.Vouch(t.Context(), "zhang.san", "zhang-pw", ""); !errors.Is(err, identity.ErrAway) {
		t.Errorf("got %v", err)
	}
}

// A session that goes on has the groups that the directory knows now; whoever is
// gone there, or does not match the filter any more, is out.
func TestARealDirectoryIsAskedAgain(t *testing.T) {
	s := startSlapd(t)
	d := directory(t, "ldaps://"+s.ldaps, func(l *identity.LDAPSettings) { l.CAFile, l.Filter = s.ca, "(&(objectClass=person)(!(title=locked)))" })
	c, err := goldap.DialURL("ldap://" + s.plain)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(admin, "root-secret"); err != nil {
		t.Fatal(err)
	}
	before, err := d.Vouch(t.Context(), "zhang.san", "zhang-pw", "")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := d.Again(t.Context(), "zhang.san"); err != nil || !cmp.Equal(again, before.Claim) {
		t.Errorf("nothing has changed: %v %+v", err, again)
	}
	entry := "cn=Zhang San,ou=people," + suffix
	joins := goldap.NewModifyRequest("cn=staff,ou=groups,"+suffix, nil)
	joins.Add("member", []string{"cn=Li Si,ou=people," + suffix})
	leaves := goldap.NewModifyRequest("cn=dev,ou=groups,"+suffix, nil)
	leaves.Delete("member", []string{entry})
	locked := goldap.NewModifyRequest(entry, nil)
	locked.Replace("title", []string{"locked"})
	for _, change := range []*goldap.ModifyRequest{joins, leaves} {
		if err := c.Modify(change); err != nil {
			t.Fatal(err)
		}
	}
	for login, want := range map[string][]string{"zhang.san": {}, "li.si": {"everybody", "staff"}} {
		if again, err := d.Again(t.Context(), login); err != nil || !cmp.Equal(again.Groups, want) {
			t.Errorf("%s: %v %v, want %v", login, err, again.Groups, want)
		}
	}
	if err := c.Modify(locked); err != nil {
		t.Fatal(err)
	}
	if err := c.Del(goldap.NewDelRequest("cn=Li Si,ou=people,"+suffix, nil)); err != nil {
		t.Fatal(err)
	}
	for _, login := range []string{"zhang.san", "li.si", "", "zhang*"} {
		if again, err := d.Again(t.Context(), login); !errors.Is(err, identity.ErrRefused) {
			t.Errorf("%q: %+v %v", login, again, err)
		}
	}
	gone := directory(t, "ldaps://"+free(t), nil)
	if _, err := gone.Again(t.Context(), "zhang.san"); !errors.Is(err, identity.ErrAway) {
		t.Errorf("a directory that is not there is away: %v", err)
	}
}
