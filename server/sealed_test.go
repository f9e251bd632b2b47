package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
)

// diary is a log that several may write to.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

// read is what has been written so far: etcd writes on for a moment after its end.
func (d *diary) read() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Clone(d.text.Bytes())
}

// hidden makes one of everything that is secret on a server, and returns the secrets by what they are.
func hidden(t *testing.T, s *server.Server) map[string]string {
	t.Helper()
	root, c := as(s, "root", "secret", ""), dial(t, s, "root", "secret")
	found := map[string]string{}
	call := func(service, operation string, in map[string]any) (out map[string]any) {
		t.Helper()
		if in == nil {
			in = map[string]any{}
		}
		ok(t, c.Call(t.Context(), service, operation, in, &out))
		return out
	}
	_, err := root.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("ann")})
	ok(t, err)
	key, err := root.iam.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("ann")})
	ok(t, err)
	found["a user's key"] = *key.AccessKey.SecretAccessKey
	var other struct{ SecretAccessKey string }
	for _, path := range []string{"/roadstead/v1/accounts", "/roadstead/v1/accounts/111111111111/root-key"} {
		ok(t, c.Do(t.Context(), "POST", path, map[string]string{"account": "111111111111"}, &other))
		found["the root key of "+path] = other.SecretAccessKey
	}
	token, err := s.JoinToken(t.Context(), "000000000000")
	ok(t, err)
	node, err := acs.ParseJoinToken(token)
	ok(t, err)
	found["a join token"], found["a node's key"] = token, node.Secret

	session, err := as(s, *key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "").sts.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	ok(t, err)
	found["a session's key"], found["a session's token"] = *session.Credentials.SecretAccessKey, *session.Credentials.SessionToken
	_, err = root.iam.EnableOutboundWebIdentityFederation(t.Context(), nil)
	ok(t, err)
	guest, err := root.sts.GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("guest")})
	ok(t, err)
	found["a federated user's token"] = *guest.Credentials.SessionToken

	found["a password"] = call("secretsmanager", "GetRandomPassword", nil)["RandomPassword"].(string)
	call("secretsmanager", "CreateSecret", map[string]any{"Name": "db", "SecretString": found["a password"]})
	found["a secret parameter"] = "sesame-of-a-parameter"
	call("ssm", "PutParameter", map[string]any{"Name": "/db", "Type": "SecureString", "Value": found["a secret parameter"]})
	call("ssm", "PutParameter", map[string]any{"Name": "/plain", "Type": "String", "Value": "a plain parameter"})
	kms := call("kms", "CreateKey", nil)["KeyMetadata"].(map[string]any)["KeyId"]
	found["a data key"] = decoded(t, call("kms", "GenerateDataKey", map[string]any{"KeyId": kms, "KeySpec": "AES_256"})["Plaintext"])
	call("kms", "PutKeyPolicy", map[string]any{"KeyId": kms, "Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"kms:*","Resource":"*"},` +
		`{"Effect":"Allow","Principal":{"Service":"logs.us-east-1.amazonaws.com"},"Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"*"}]}`})
	arn := call("kms", "DescribeKey", map[string]any{"KeyId": kms})["KeyMetadata"].(map[string]any)["Arn"].(string)
	found["an encrypted log line"] = "sesame-of-a-log-line"
	for group, line := range map[string]string{"locked": found["an encrypted log line"], "open": "a plain log line"} {
		in := map[string]any{"logGroupName": group}
		if group == "locked" {
			in["kmsKeyId"] = arn
		}
		call("logs", "CreateLogGroup", in)
		call("logs", "CreateLogStream", map[string]any{"logGroupName": group, "logStreamName": "s"})
		call("logs", "PutLogEvents", map[string]any{"logGroupName": group, "logStreamName": "s", "logEvents": []any{map[string]any{"timestamp": time.Now().UnixMilli(), "message": line}}})
	}
	found["a material that was brought"] = string(brought(t, call))
	found["a login of the registry"] = decoded(t, call("ecr", "GetAuthorizationToken", nil)["authorizationData"].([]any)[0].(map[string]any)["authorizationToken"])

	// What is refused is logged as well: a wrong signature, an operation that nobody serves, a call that may not be.
	_, err = as(s, *key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "").ecs.CreateCluster(t.Context(), &ecs.CreateClusterInput{})
	refused(t, err, "AccessDeniedException", "")
	_, err = as(s, *key.AccessKey.AccessKeyId, "wrong", "").ecs.CreateCluster(t.Context(), &ecs.CreateClusterInput{})
	refused(t, err, "InvalidSignatureException", "")
	return found
}

// brought brings a material for a new key.
func brought(t *testing.T, call func(service, operation string, in map[string]any) map[string]any) []byte {
	t.Helper()
	id := call("kms", "CreateKey", map[string]any{"Origin": "EXTERNAL"})["KeyMetadata"].(map[string]any)["KeyId"]
	p := call("kms", "GetParametersForImport", map[string]any{"KeyId": id, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"})
	public, err := x509.ParsePKIXPublicKey([]byte(decoded(t, p["PublicKey"])))
	ok(t, err)
	material := make([]byte, 32)
	_, _ = rand.Read(material)
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), material, nil)
	ok(t, err)
	call("kms", "ImportKeyMaterial", map[string]any{
		"KeyId": id, "ImportToken": p["ImportToken"], "EncryptedKeyMaterial": base64.StdEncoding.EncodeToString(wrapped), "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
	})
	return material
}

func decoded(t *testing.T, text any) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text.(string))
	ok(t, err)
	return string(b)
}

// spellings are how a secret may stand in a file, or its words in a dump of goroutines that had it as an argument.
func spellings(secret string) []string {
	quoted, _ := json.Marshal(secret)
	b := []byte(secret)
	all := []string{
		secret, strings.Trim(string(quoted), `"`), hex.EncodeToString(b),
		strings.TrimRight(base64.StdEncoding.EncodeToString(b), "="), strings.TrimRight(base64.URLEncoding.EncodeToString(b), "="),
	}
	for at := 0; at+8 <= len(b); at += 8 {
		all = append(all, fmt.Sprintf("%#x", binary.LittleEndian.Uint64(b[at:])))
	}
	return all
}

// dumps are what the process would write of its goroutines if it died, again and again while the server works with secrets: Go shows the
// words of arguments. One that is not secret is among them.
func dumps(t *testing.T, s *server.Server) []byte {
	t.Helper()
	c := dial(t, s, "root", "secret")
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for operation, in := range map[string]any{
		"secretsmanager GetSecretValue": map[string]any{"SecretId": "db"},
		"ssm GetParameter":              map[string]any{"Name": "/db", "WithDecryption": true},
		"ecr GetAuthorizationToken":     map[string]any{},
		"sts GetSessionToken":           map[string]any{},
	} {
		service, name, _ := strings.Cut(operation, " ")
		busy.Go(func() {
			for ctx.Err() == nil {
				if err := c.Call(ctx, service, name, in, nil); err != nil && ctx.Err() == nil {
					t.Errorf("%s: %v", operation, err)
					return
				}
			}
		})
	}
	shown := make(chan struct{})
	busy.Go(func() { showArgument([2]uint64{plainWord, 1}, shown) })
	var all []byte
	buffer := make([]byte, 4<<20)
	for range 100 {
		all = append(all, buffer[:runtime.Stack(buffer, true)]...)
	}
	close(shown)
	cancel()
	busy.Wait()
	return all
}

const plainWord = 0x6e69616c702061 // "a plain"

// showArgument has an argument whose words stand in a dump.
//
//go:noinline
func showArgument(words [2]uint64, until <-chan struct{}) {
	<-until
	if words[0] != plainWord {
		panic("another word")
	}
}

// withoutBlanks is a file but for runs of zeros, in which nothing stands: they are most of what etcd has, and each of some hundred texts
// is looked for in all of it.
func withoutBlanks(b []byte) []byte {
	var out []byte
	blank := make([]byte, 64)
	for {
		at := bytes.Index(b, blank)
		if at < 0 {
			return append(out, b...)
		}
		out, b = append(out, b[:at]...), bytes.TrimLeft(b[at:], "\x00")
	}
}

// Nothing that is secret stands in any file of the data directory, nor in the log, nor in a dump of goroutines. But for the file
// that has the key for sealing.
func TestSecretsAreInNoFile(t *testing.T) {
	dir, log := t.TempDir(), &diary{}
	s, stop := open(t, server.Config{DataDir: dir, Dev: true, Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	secrets := hidden(t, s)
	materials := server.Opened(t, s)
	if len(materials) != 6 { // of two keys, two AWS managed ones, and the issuer
		t.Errorf("%d materials", len(materials))
	}
	maps.Copy(secrets, materials)
	crashed := dumps(t, s)
	stop()
	places, plain, line := map[string][]byte{"the log": log.read(), "a dump of goroutines": crashed}, false, false
	ok(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "seal.key" {
			return err
		}
		b, err := os.ReadFile(path)
		places[path] = withoutBlanks(b)
		plain = plain || bytes.Contains(places[path], []byte("a plain parameter"))
		line = line || bytes.Contains(places[path], []byte("a plain log line"))
		return err
	}))
	if !plain || !line || !bytes.Contains(places["the log"], []byte(`"level":"DEBUG"`)) {
		t.Errorf("what is not secret is not found in %d places: the search shows nothing", len(places))
	}
	if !bytes.Contains(crashed, fmt.Appendf(nil, "%#x", plainWord)) {
		t.Errorf("an argument is not found in %d bytes of dumps: the search shows nothing", len(crashed))
	}
	for what, secret := range secrets {
		if len(secret) < 16 {
			t.Errorf("%s is too short to be looked for: %q", what, secret)
		}
		for _, text := range spellings(secret) {
			for place, b := range places {
				if bytes.Contains(b, []byte(text)) {
					t.Errorf("%s stands in %s", what, place)
				}
			}
		}
	}
}

// Keys from before their secrets were sealed go on, and are sealed when a member leads; and they all go on when the key for sealing
// is changed.
func TestAccessKeysFromBefore(t *testing.T) {
	dir := t.TempDir()
	s, stop := open(t, server.Config{DataDir: dir, Dev: true})
	const many = 1203 // more than are sealed at once
	ok(t, s.DB().Update(t.Context(), func(tx *state.Tx) error {
		for i := range many {
			tx.AccessKeys.Put(&model.AccessKey{ID: fmt.Sprintf("OLD%d", i), Secret: fmt.Sprintf("secret of %d", i), Account: "000000000000", Kind: model.KeyRoot})
		}
		return nil
	}))
	works := func(s *server.Server) {
		t.Helper()
		for _, i := range []int{0, 1, many / 2, many - 1} {
			_, err := as(s, fmt.Sprintf("OLD%d", i), fmt.Sprintf("secret of %d", i), "").ecs.ListClusters(t.Context(), nil)
			ok(t, err)
		}
	}
	works(s)
	stop()

	s, stop = open(t, server.Config{DataDir: dir, Dev: true})
	works(s)
	snap, cursor := s.DB().Watch()
	for open := many; open > 0; {
		open = 0
		for k := range snap.AccessKeys.All() {
			if k.Secret != "" {
				open++
			}
		}
		if open > 0 {
			rev, err := cursor.Next(t.Context())
			ok(t, err)
			snap = rev.Snapshot
		}
	}
	works(s)
	stop()

	path := filepath.Join(dir, "seal.key")
	old, err := os.ReadFile(path)
	ok(t, err)
	ok(t, os.WriteFile(path, append([]byte(strings.Repeat("5a", 32)+"\n"), old...), 0o600))
	s, stop = open(t, server.Config{DataDir: dir, Dev: true})
	works(s)
	stop()
}
