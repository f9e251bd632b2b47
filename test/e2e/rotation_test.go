//go:build e2e

package e2e_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// rotator is the target of a rotation. It holds one call of one step until its caller is gone.
type rotator struct {
	*httptest.Server
	mu    sync.Mutex
	hold  string // the step
	held  chan struct{}
	steps []string
}

func newRotator(t *testing.T) *rotator {
	t.Helper()
	r := &rotator{}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var in struct{ Step, ClientRequestToken string }
		if err := json.NewDecoder(req.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.steps = append(r.steps, in.Step)
		hold, held := r.hold == in.Step, r.held
		if hold {
			r.hold = ""
		}
		r.mu.Unlock()
		if hold {
			close(held)
			<-req.Context().Done()
			return
		}
		if in.Step == "createSecret" {
			fmt.Fprintf(w, `{"SecretString":"value of %s"}`, in.ClientRequestToken)
		}
	}))
	t.Cleanup(r.Close)
	root := filepath.Join(t.TempDir(), "root.pem")
	must(t, os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}), 0o600))
	t.Setenv("SSL_CERT_FILE", root)
	return r
}

// next has the next call of the step held, and returns what is closed when it has come.
func (r *rotator) next(step string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hold, r.held, r.steps = step, make(chan struct{}), nil
	return r.held
}

// TestRotationUnderKills kills the server in the middle of each step of a rotation. The next one does the step again, and ends the
// rotation; AWSCURRENT is there all the time, with the old value or the new one.
func TestRotationUnderKills(t *testing.T) {
	target := newRotator(t)
	e := NewServer(t)
	store := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: &e.URL, HTTPClient: e.http,
		Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	id := aws.String("db")
	_, err := store.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: id, SecretString: aws.String("value of nobody")})
	must(t, err)
	current := func(want ...string) string {
		t.Helper()
		out, err := store.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: id})
		must(t, err)
		if !slices.Contains(want, *out.SecretString) {
			t.Fatalf("AWSCURRENT is %q, not one of %q", *out.SecretString, want)
		}
		return *out.SecretString
	}
	before := current("value of nobody")
	all := []string{"createSecret", "setSecret", "testSecret", "finishSecret"}
	for i, step := range all {
		held := target.next(step)
		made, err := store.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: id, RotationLambdaARN: aws.String(target.URL)})
		must(t, err)
		after := "value of " + *made.VersionId
		select {
		case <-held:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s is not called: %v", step, target.steps)
		}
		current(before)
		e.Server.Kill9()
		killed := time.Now()
		e.Server.again()
		e.Server.AwaitReady(30 * time.Second)
		tick := time.NewTicker(20 * time.Millisecond)
		for current(before, after) != after {
			if time.Since(killed) > 30*time.Second {
				t.Fatalf("killed at %s, the rotation does not end: %v", step, target.steps)
			}
			<-tick.C
		}
		tick.Stop()
		t.Logf("killed at %s: over after %s", step, ms(time.Since(killed)))
		d, err := store.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: id})
		must(t, err)
		for version, stages := range d.VersionIdsToStages {
			if slices.Contains(stages, "AWSPENDING") || (version == *made.VersionId) != slices.Contains(stages, "AWSCURRENT") {
				t.Errorf("killed at %s: %s has %v", step, version, stages)
			}
		}
		target.mu.Lock()
		if want := slices.Insert(slices.Clone(all), i, step); !slices.Equal(target.steps, want) {
			t.Errorf("killed at %s: the target was told of %v", step, target.steps)
		}
		target.mu.Unlock()
		before = after
	}
}
