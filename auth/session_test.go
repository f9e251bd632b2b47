package auth_test

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
)

func newSessions(t testing.TB, secret string) *auth.Sessions {
	t.Helper()
	s, err := auth.NewSessions(secret, "000000000000")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func aSession() auth.Session {
	r := &model.Role{Identity: model.Identity{Account: "000000000000", Name: "app", Path: "/", ID: "AROAX"}}
	s := auth.RoleSession(r, "task", now, time.Hour)
	s.Tags = []model.Tag{{Key: "team", Value: "a"}}
	return *s
}

// as sends a request signed with temporary credentials at a time, and returns who sent it.
func as(t testing.TB, v *auth.Verifier, c auth.Credentials, at time.Time) (auth.Principal, error) {
	t.Helper()
	r := request(t, "POST", "http://127.0.0.1:4566/", body)
	who := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.Secret, SessionToken: c.Token}
	if err := v4.NewSigner().SignHTTP(t.Context(), who, r, hash(body), "ecs", "us-east-1", at); err != nil {
		t.Fatal(err)
	}
	return v.Verify(received(r), body)
}

// [D] Temporary credentials are who they say, on every member that has the secret, until they are over.
func TestSessions(t *testing.T) {
	c, err := newSessions(t, "s").Issue(aSession())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(c.AccessKeyID, "ASIA") || len(c.AccessKeyID) != 20 || len(c.Secret) != 40 || c.Packed > 10 {
		t.Errorf("%+v", c)
	}
	verifier := func(at time.Time, secret string) *auth.Verifier {
		v := newVerifier(at)
		v.Sessions = newSessions(t, secret)
		return v
	}
	p, err := as(t, verifier(now, "s"), c, now)
	if err != nil {
		t.Fatal(err)
	}
	if p.ARN != "arn:aws:sts::000000000000:assumed-role/app/task" || p.UserID != "AROAX:task" || p.Kind != auth.KindRole || !p.Judged() ||
		p.Session.Of != "arn:aws:iam::000000000000:role/app" || p.Session.Tags[0].Value != "a" {
		t.Errorf("%+v", p)
	}
	const invalid = "The security token included in the request is invalid."
	_, err = as(t, verifier(now.Add(time.Hour), "s"), c, now.Add(time.Hour))
	wantCode(t, err, "ExpiredTokenException", "The security token included in the request is expired")
	_, err = as(t, verifier(now, "other"), c, now)
	wantCode(t, err, "UnrecognizedClientException", invalid)
	_, err = as(t, newVerifier(now), c, now) // that knows of no sessions
	wantCode(t, err, "UnrecognizedClientException", invalid)

	bare := c
	bare.Token = ""
	_, err = as(t, verifier(now, "s"), bare, now)
	wantCode(t, err, "UnrecognizedClientException", invalid)
	long := auth.Credentials{AccessKeyID: keyID, Secret: secret, Token: c.Token} // a long-term key with a token
	_, err = as(t, verifier(now, "s"), long, now)
	wantCode(t, err, "UnrecognizedClientException", invalid)
	wrong := c
	wrong.Secret = strings.Repeat("x", 40)
	_, err = as(t, verifier(now, "s"), wrong, now)
	wantCode(t, err, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided. "+
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

// Property [I]: no other token opens, whichever bit differs, and none goes with another's key.
func TestNoOtherTokenOpens(t *testing.T) {
	s := newSessions(t, "s")
	v := newVerifier(now)
	v.Sessions = s
	c, err := s.Issue(aSession())
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := base64.StdEncoding.DecodeString(c.Token)
	for i := range sealed {
		changed := append([]byte(nil), sealed...)
		changed[i] ^= 1 << (i % 8)
		bad := c
		bad.Token = base64.StdEncoding.EncodeToString(changed)
		if _, err := as(t, v, bad, now); model.ErrorCode(err) != "UnrecognizedClientException" {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	other, _ := s.Issue(aSession())
	other.Token = c.Token
	if _, err := as(t, v, other, now); model.ErrorCode(err) != "UnrecognizedClientException" {
		t.Error(err)
	}
}

// [O] Policies and tags that do not fit into a token are refused.
func TestPackedPolicyTooLarge(t *testing.T) {
	session := aSession()
	text := make([]byte, 5000)
	rand.Read(text)
	session.Policies = []string{base64.StdEncoding.EncodeToString(text)}
	_, err := newSessions(t, "s").Issue(session)
	if model.ErrorCode(err) != "PackedPolicyTooLarge" {
		t.Error(err)
	}
}

// BenchmarkVerifySession is beside BenchmarkVerify: what a token costs more.
func BenchmarkVerifySession(b *testing.B) {
	v := newVerifier(now)
	v.Sessions = newSessions(b, "s")
	c, err := v.Sessions.Issue(aSession())
	if err != nil {
		b.Fatal(err)
	}
	r := request(b, "POST", "http://127.0.0.1:4566/", body)
	who := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.Secret, SessionToken: c.Token}
	if err := v4.NewSigner().SignHTTP(b.Context(), who, r, hash(body), "ecs", "us-east-1", now); err != nil {
		b.Fatal(err)
	}
	r = received(r)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r, body); err != nil {
			b.Fatal(err)
		}
	}
}
