//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	endian "encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/roadstead/roadstead/acs"
)

// TestDumpsShowNoSecrets has the server and the agent die by SIGQUIT and SIGABRT while they work with secrets: neither what Go writes of their
// goroutines then, nor anything else in their logs, at the level debug, shows a secret; and they leave no core.
func TestDumpsShowNoSecrets(t *testing.T) {
	t.Parallel()
	e := NewServer(t, "--log-level", "debug")
	e.CreateCluster("default")
	e.StartAgent("--log-level", "debug")
	e.Image = e.BuildImage("probe:1")
	who := credentials.NewStaticCredentialsProvider(key, e.secret, "")
	store := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: &e.URL, Credentials: who, HTTPClient: e.http, Retryer: aws.NopRetryer{}})
	params := ssm.New(ssm.Options{Region: region, BaseEndpoint: &e.URL, Credentials: who, HTTPClient: e.http})
	keys := kms.New(kms.Options{Region: region, BaseEndpoint: &e.URL, Credentials: who, HTTPClient: e.http})
	hidden := map[string]string{
		"the first value": "sesame-first-value-of-the-secret", "a parameter": "sesame-value-of-the-parameter--", "the root secret": e.secret,
	}
	made, err := store.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("db"), SecretString: passwordOf(hidden["the first value"])})
	must(t, err)
	_, err = params.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/db"), Value: aws.String(hidden["a parameter"]), Type: "SecureString"})
	must(t, err)
	cmk, err := keys.CreateKey(t.Context(), nil)
	must(t, err)
	data, err := keys.GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{KeyId: cmk.KeyMetadata.KeyId, KeySpec: "AES_256"})
	must(t, err)
	hidden["a data key"] = string(data.Plaintext)
	node, err := acs.ParseJoinToken(e.Agent.args[slices.Index(e.Agent.args, "--token")+1])
	must(t, err)
	hidden["the node's key"] = node.Secret

	arn := e.runSecretive(*made.ARN)
	for i := range 3 { // rotations, while it runs
		value := fmt.Sprint("sesame-rotated-value-of-secret-", i)
		hidden[fmt.Sprint("rotated value ", i)] = value
		_, err := store.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: made.ARN, SecretString: passwordOf(value)})
		must(t, err)
		e.AwaitLog(arn, "SIGHUP: /s/pass 0:0 400: "+value)
	}
	for _, signal := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT} {
		for _, p := range []*process{e.Agent, e.Server} {
			stop := e.busy(store, params, keys, data.CiphertextBlob, *made.ARN)
			must(t, p.cmd.Process.Signal(signal))
			select {
			case <-p.ended:
			case <-time.After(30 * time.Second):
				t.Fatalf("%s goes on after %s", p.name, signal)
			}
			stop()
			p.again()
			if p == e.Server {
				p.AwaitReady(30 * time.Second)
			}
		}
		e.AwaitNodes(1)
	}
	e.searchLogs(hidden)
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")
}

// passwordOf is a secret that has a value as its member pass.
func passwordOf(value string) *string { return aws.String(`{"pass":"` + value + `"}`) }

// runSecretive runs a task that has the secret as a variable and as a file.
func (e *Env) runSecretive(secretARN string) string {
	role := e.role("reads-all", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:GetSecretValue","ssm:GetParameters","kms:Decrypt","ecr:*"],"Resource":"*"}]}`)
	c := e.container("c", "onhup=/s/pass", "onterm=bye", "print=ready", "wait")
	c.Secrets = []types.Secret{{Name: aws.String("A"), ValueFrom: aws.String(secretARN + ":pass::")}, {Name: aws.String("B"), ValueFrom: aws.String("/db")}}
	c.MountPoints = []types.MountPoint{mount("s", "/s")}
	arn := e.RunTask(e.Define("secretive", ecs.RegisterTaskDefinitionInput{
		ExecutionRoleArn: &role, TaskRoleArn: &role,
		Volumes: []types.Volume{{Name: aws.String("s"), DockerVolumeConfiguration: &types.DockerVolumeConfiguration{
			Driver: aws.String("roadstead-secret"), DriverOpts: map[string]string{"secret": secretARN, "signal": "SIGHUP", "refresh": "1s"}}}},
	}, c))
	e.AwaitLog(arn, "ready")
	return arn
}

// busy has the server work with secrets until stop is called.
func (e *Env) busy(store *secretsmanager.Client, params *ssm.Client, keys *kms.Client, blob []byte, arn string) (stop func()) {
	ctx, cancel := context.WithCancel(e.t.Context())
	var wg sync.WaitGroup
	started := make(chan struct{}, 3)
	for _, call := range []func() error{
		func() error {
			_, err := store.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
			return err
		},
		func() error {
			_, err := params.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/db"), WithDecryption: aws.Bool(true)})
			return err
		},
		func() error { _, err := keys.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob}); return err },
	} {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				err := call()
				if n == 0 {
					if err != nil {
						e.t.Error(err)
					}
					started <- struct{}{}
				}
				if err != nil { // it died
					return
				}
			}
		})
	}
	for range cap(started) {
		<-started
	}
	return func() { cancel(); wg.Wait() }
}

// searchLogs looks for secrets in what the processes wrote, as text and as the words that Go shows of arguments, and for cores.
func (e *Env) searchLogs(hidden map[string]string) {
	t := e.t
	places, dumps := map[string][]byte{}, 0
	must(t, filepath.WalkDir(e.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // it is gone meanwhile
		}
		if name := d.Name(); name == "core" || strings.HasPrefix(name, "core.") {
			t.Errorf("%s is left behind", path)
		}
		if strings.HasSuffix(path, ".log") {
			places[path], err = os.ReadFile(path)
			dumps += bytes.Count(places[path], []byte("\ngoroutine 1 "))
		}
		return err
	}))
	if dumps < 4 || !bytes.Contains(places[e.Server.log], []byte("level=DEBUG")) {
		t.Errorf("%d dumps in %d files: the search shows nothing", dumps, len(places))
	}
	for what, secret := range hidden {
		if len(secret) < 16 {
			t.Errorf("%s is too short to be looked for: %q", what, secret)
		}
		for _, text := range shapes(secret) {
			for place, b := range places {
				if at := bytes.Index(b, []byte(text)); at >= 0 {
					t.Errorf("%s stands in %s: ...%s...", what, place, b[max(0, at-200):min(len(b), at+len(text)+50)])
				}
			}
		}
	}
	t.Logf("%d dumps in %d files show none of %d secrets", dumps, len(places), len(hidden))
}

// shapes are how a secret may stand in a log: as it is, encoded, or each eight bytes of it as a word.
func shapes(secret string) []string {
	quoted, _ := json.Marshal(secret)
	b := []byte(secret)
	all := []string{secret, strings.Trim(string(quoted), `"`), hex.EncodeToString(b), strings.TrimRight(base64.StdEncoding.EncodeToString(b), "=")}
	for at := 0; at+8 <= len(b); at += 8 {
		all = append(all, fmt.Sprintf("%#x", endian.LittleEndian.Uint64(b[at:])))
	}
	return all
}
