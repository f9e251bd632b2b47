package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
)

// Session is what temporary credentials say of themselves. No row holds them: all of it travels in their token, which only the
// control plane can make and read (docs/decisions/017-sessions.md).
type Session struct {
	Kind    string `json:"kind"` // KindRole, KindFederated, model.KeyUser or model.KeyRoot
	Account string `json:"account"`
	ARN     string `json:"arn"`            // of the session as GetCallerIdentity shows it
	Of      string `json:"of,omitempty"`   // ARN of the role or user whose policies count
	OfID    string `json:"ofId,omitempty"` // its unique id: who gets its name later is somebody else
	UserID  string `json:"userId"`         // "AROA...:NAME", "AIDA..."

	IssuedAt model.Millis `json:"issuedAt"`
	Expires  model.Millis `json:"expires"`

	Tags           []model.Tag `json:"tags,omitempty"`
	Transitive     []string    `json:"transitive,omitempty"` // keys of tags that go on to the next role
	Policies       []string    `json:"policies,omitempty"`   // documents that narrow it
	PolicyARNs     []string    `json:"policyArns,omitempty"` // managed policies that narrow it
	SourceIdentity string      `json:"sourceIdentity,omitempty"`
	Provider       string      `json:"provider,omitempty"` // of a web identity: who vouched for it
	// Task is the ARN of the task that the session was made for, "" for others: it ends with the task.
	Task string `json:"task,omitempty"`
}

// Kinds of sessions besides those of users and of the root user.
const (
	KindRole      = "role"
	KindFederated = "federated"
)

// Credentials are what a client needs to be a session.
type Credentials struct {
	AccessKeyID, Secret, Token string
	Expires                    time.Time
	// Packed is how much of the room for policies and tags the token has used, in percent.
	Packed int
}

// maxToken is how long a token may be, in bytes: headers of 8 KiB pass everywhere.
const maxToken = 6 << 10

// Sessions issues and opens temporary credentials. All members that have the same secret understand each other's.
type Sessions struct {
	seal     cipher.AEAD
	messages cipher.AEAD
	secret   []byte // secrets of access keys are derived from it
}

// NewSessions derives the keys from the deployment's secret.
func NewSessions(secret, account string) (*Sessions, error) {
	key := func(use string) ([]byte, error) {
		return hkdf.Key(sha256.New, []byte(secret), []byte(account), "roadstead session "+use, 32)
	}
	sealer := func(use string) (cipher.AEAD, error) {
		k, err := key(use)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCMWithRandomNonce(block)
	}
	tokens, err := sealer("tokens")
	if err != nil {
		return nil, err
	}
	messages, err := sealer("messages")
	if err != nil {
		return nil, err
	}
	derive, err := key("secrets")
	return &Sessions{seal: tokens, messages: messages, secret: derive}, err
}

// Issue makes credentials of the session. PackedPolicyTooLarge says that its policies and tags do not fit.
func (s *Sessions) Issue(session Session) (Credentials, error) {
	plain, err := json.Marshal(session)
	if err != nil {
		return Credentials{}, fmt.Errorf("encode a session: %w", err)
	}
	c := Credentials{AccessKeyID: temporary + randomID(16), Expires: time.UnixMilli(session.Expires).UTC()}
	c.Token = base64.StdEncoding.EncodeToString(s.seal.Seal(nil, nil, plain, []byte(c.AccessKeyID)))
	if c.Packed = len(c.Token) * 100 / maxToken; c.Packed > 100 {
		return Credentials{}, model.Errorf("PackedPolicyTooLarge", "Packed size of session tags consumes %d%% of allotted space.", c.Packed) // [O]
	}
	c.Secret = s.secretOf(c.AccessKeyID)
	return c, nil
}

// open returns the session that a token is of, and the secret that signs for it, expired or not.
func (s *Sessions) open(accessKeyID, token string) (session *Session, secret string, ok bool) {
	if s == nil || len(token) > maxToken {
		return nil, "", false
	}
	sealed, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return nil, "", false
	}
	plain, err := s.seal.Open(nil, nil, sealed, []byte(accessKeyID))
	if err != nil {
		return nil, "", false
	}
	session = new(Session)
	if json.Unmarshal(plain, session) != nil {
		return nil, "", false
	}
	return session, s.secretOf(accessKeyID), true
}

func (s *Sessions) secretOf(accessKeyID string) string {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte(accessKeyID))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))[:40]
}

// Name is a uuid for a thing, the same on every member and at any time, which nobody can guess who does not have the secret.
func (s *Sessions) Name(thing string) string {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte("name " + thing))
	return uuid.UUID(h.Sum(nil)[:16]).String()
}

// temporary begins the access key ids of sessions.
const temporary = "ASIA"

// randomID returns random letters and digits as AWS's ids have them.
func randomID(n int) string {
	b := make([]byte, 5*(n+7)/8)
	rand.Read(b)
	return base32.StdEncoding.EncodeToString(b)[:n]
}

// principal describes the session, speaking to a service in a Region.
func (s *Session) principal(scope keyID, token string) Principal {
	return Principal{
		Account: s.Account, Region: scope.region, Service: scope.service,
		ARN: s.ARN, UserID: s.UserID, AccessKeyID: scope.accessKey, Kind: s.Kind, Session: s, Token: token,
	}
}

// RoleSession describes a session of a role that begins now.
func RoleSession(r *model.Role, name string, now time.Time, d time.Duration) *Session {
	return &Session{
		Kind: KindRole, Account: r.Account, ARN: "arn:aws:sts::" + r.Account + ":assumed-role/" + r.Name + "/" + name,
		Of: r.ARN(), OfID: r.ID, UserID: r.ID + ":" + name, IssuedAt: now.UnixMilli(), Expires: now.Add(d).UnixMilli(),
	}
}
