package secretsmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/seal"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

const target = "https://rotate.example/s"

// turns is a member that rotates secrets, in a bubble, and the target of its rotations.
type turns struct {
	*testing.T
	*API  // of the member that was started last
	store *state.Memory
	stop  func()

	mu     sync.Mutex
	calls  []string // "STEP hours since the beginning"
	answer func(step, version string) (status int, body string)
}

func inTurns(t *testing.T, f func(w *turns)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &turns{T: t, store: state.NewMemory(), answer: func(string, string) (int, string) { return 200, `{"SecretString":"new"}` }}
		w.start()
		if err := w.DB.AwaitLead(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.must(w.createSecret(w.root(), &sdk.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String(`{"user":"u","password":"old"}`)}))
		f(w)
	})
}

// root is the context of a call of the root user.
func (w *turns) root() context.Context {
	return auth.WithPrincipal(w.Context(), auth.Principal{Account: "000000000000", Region: "us-east-1", Kind: model.KeyRoot})
}

// start starts a member.
func (w *turns) start() {
	sealer, err := seal.New(bytes.Repeat([]byte{1}, seal.KeyBytes))
	if err != nil {
		w.Fatal(err)
	}
	db := state.Open(state.Config{Backend: w.store.Member(), Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal}})
	w.API = New(Config{DB: db, Seal: sealer, Transport: w, MayUse: func(context.Context, *state.Tables, string, any) error { return nil }})
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	done := make(chan error, 2)
	go func() { done <- db.Run(ctx) }()
	go func() { done <- w.API.Run(ctx) }()
	w.stop = sync.OnceFunc(func() { cancel(); <-done; <-done })
	w.Cleanup(w.stop)
}

var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of every bubble

// RoundTrip is the network.
func (w *turns) RoundTrip(r *http.Request) (*http.Response, error) {
	var in struct{ Step, SecretId, ClientRequestToken string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !strings.HasPrefix(in.SecretId, "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-") || r.URL.String() != target {
		w.Errorf("a call of %s: %+v, %v", r.URL, in, err)
	}
	w.mu.Lock()
	w.calls = append(w.calls, fmt.Sprintf("%s %s", in.Step, time.Since(began)))
	answer := w.answer
	w.mu.Unlock()
	status, body := answer(in.Step, in.ClientRequestToken)
	if status == 0 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: status, Request: r, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// must checks that an operation succeeded.
func (w *turns) must(_ any, err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *turns) rotate(change ...func(in *sdk.RotateSecretInput)) (string, error) {
	in := &sdk.RotateSecretInput{SecretId: aws.String("s"), RotationLambdaARN: aws.String(target)}
	for _, f := range change {
		f(in)
	}
	out, err := w.rotateSecret(w.root(), in)
	if err != nil {
		return "", err
	}
	return deref(out.VersionId), nil
}

func later(in *sdk.RotateSecretInput)  { in.RotateImmediately = aws.Bool(false) }
func ourOwn(in *sdk.RotateSecretInput) { in.RotationLambdaARN = aws.String(passwordTarget) }

func (w *turns) get(stage string) string {
	out, err := w.getSecretValue(w.root(), &sdk.GetSecretValueInput{SecretId: aws.String("s"), VersionStage: &stage})
	if err != nil {
		return err.Error()
	}
	return *out.SecretString
}

func (w *turns) describe() *sdk.DescribeSecretOutput {
	out, err := w.describeSecret(w.root(), &sdk.DescribeSecretInput{SecretId: aws.String("s")})
	w.must(out, err)
	return out
}

func (w *turns) heard() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.calls, ", ")
}

func (w *turns) refused(what string, err error, code string) {
	w.Helper()
	if model.ErrorCode(err) != code {
		w.Errorf("%s: %v, want %s", what, err, code)
	}
}

// [D] A rotation makes a version with AWSPENDING, tells the target of four steps, and leaves the version current.
func TestRotation(t *testing.T) {
	inTurns(t, func(w *turns) {
		first := w.describe()
		seen := map[string]string{}
		w.answer = func(step, version string) (int, string) {
			stages := w.describe().VersionIdsToStages
			seen[step] = fmt.Sprint(stages[version], w.get(pending))
			if step == stepCreate { // as AWS's functions do
				w.must(w.putSecretValue(w.root(), &sdk.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("made"), ClientRequestToken: &version, VersionStages: []string{pending}}))
			}
			if step == stepFinish {
				for from := range first.VersionIdsToStages {
					w.must(w.updateSecretVersionStage(w.root(), &sdk.UpdateSecretVersionStageInput{SecretId: aws.String("s"), VersionStage: aws.String(current), MoveToVersionId: &version, RemoveFromVersionId: &from}))
				}
			}
			return 200, ""
		}
		version, err := w.rotate()
		w.must(version, err)
		synctest.Wait()
		if got := w.heard(); got != "createSecret 0s, setSecret 0s, testSecret 0s, finishSecret 0s" {
			t.Errorf("calls: %s", got)
		}
		want := map[string]string{stepCreate: "[AWSPENDING]ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
			stepSet: "[AWSPENDING]made", stepTest: "[AWSPENDING]made", stepFinish: "[AWSPENDING]made"}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("the target sees %v\nwant %v", seen, want)
		}
		d := w.describe()
		if got := d.VersionIdsToStages; len(got) != 2 || !slices.Equal(got[version], []string{current}) || w.get(previous) == "made" {
			t.Errorf("stages: %v", got)
		}
		if !*d.RotationEnabled || *d.RotationLambdaARN != target || !d.LastRotatedDate.Equal(began) || d.NextRotationDate != nil {
			t.Errorf("%+v", d)
		}
	})
}

// [I] A target may leave the secret to us: it answers with the new value, and the labels are moved for it. Our own makes a password.
func TestRotationWithoutCredentials(t *testing.T) {
	inTurns(t, func(w *turns) {
		w.must(w.rotate())
		synctest.Wait()
		if a, b := w.get(current), w.get(previous); a != "new" || !strings.Contains(b, "old") {
			t.Errorf("%s, before %s", a, b)
		}
		w.must(w.putSecretValue(w.root(), &sdk.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String(`{"user":"u","password":"old","port":5432}`)}))
		w.must(w.rotate(ourOwn))
		synctest.Wait()
		var now struct {
			User, Password string
			Port           int
		}
		if err := json.Unmarshal([]byte(w.get(current)), &now); err != nil || now.User != "u" || now.Port != 5432 || len(now.Password) != 32 || strings.ContainsAny(now.Password, `/@"'\&<>`) {
			t.Errorf("%+v, %v", now, err)
		}
		if n := len(w.calls); n != 4 {
			t.Errorf("%d calls", n)
		}
	})
}

// [D] A step that fails is done again, later and later, and the rotation with it; another one has to wait.
func TestRotationFails(t *testing.T) {
	inTurns(t, func(w *turns) {
		w.answer = func(step, _ string) (int, string) {
			if step == stepSet {
				return 500, "sesame"
			}
			return 200, `{"SecretString":"new"}`
		}
		version, err := w.rotate()
		w.must(version, err)
		time.Sleep(4 * time.Hour)
		if got := w.heard(); got != "createSecret 0s, setSecret 0s, setSecret 1m0s, setSecret 3m0s, setSecret 7m0s, setSecret 15m0s, setSecret 31m0s, setSecret 1h3m0s, setSecret 2h3m0s, setSecret 3h3m0s" {
			t.Errorf("calls: %s", got)
		}
		if got := w.get(current); !strings.Contains(got, "old") {
			t.Errorf("it is %s before the end", got)
		}
		_, err = w.rotate()
		w.refused("another", err, "InvalidRequestException")
		again, err := w.rotate(func(in *sdk.RotateSecretInput) { in.ClientRequestToken = &version })
		if err != nil || again != version {
			t.Errorf("the same again: %s, %v", again, err)
		}
		w.mu.Lock()
		w.answer = func(string, string) (int, string) { return 204, "" }
		w.mu.Unlock()
		time.Sleep(time.Hour)
		if got := w.get(current); got != "new" {
			t.Errorf("it is %s", got)
		}
	})
}

// [D] A rotation goes on where it was when the member that did it is gone; one that is cancelled does not.
func TestRotationSurvives(t *testing.T) {
	inTurns(t, func(w *turns) {
		w.answer = func(step, _ string) (int, string) {
			if step == stepTest {
				return 0, "" // no answer
			}
			return 200, `{"SecretString":"new"}`
		}
		w.must(w.rotate())
		time.Sleep(time.Minute)
		w.stop()
		w.answer = func(string, string) (int, string) { return 200, `{"SecretString":"newer"}` }
		w.start()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.get(current); got != "new" || !strings.Contains(w.heard(), "testSecret 0s, testSecret") || strings.Count(w.heard(), stepCreate) != 1 {
			t.Errorf("it is %s after %s", got, w.heard())
		}

		w.answer = func(string, string) (int, string) { return 500, "" }
		version, err := w.rotate()
		w.must(version, err)
		synctest.Wait()
		out, err := w.cancelRotateSecret(w.root(), &sdk.CancelRotateSecretInput{SecretId: aws.String("s")})
		if err != nil || deref(out.VersionId) != version {
			t.Errorf("%+v, %v", out, err)
		}
		n := len(w.calls)
		time.Sleep(24 * time.Hour)
		if len(w.calls) != n || *w.describe().RotationEnabled {
			t.Errorf("after it was cancelled: %s", w.heard())
		}
		_, err = w.cancelRotateSecret(w.root(), &sdk.CancelRotateSecretInput{SecretId: aws.String("s")})
		w.refused("cancelled again", err, "InvalidRequestException")
	})
}

// [I] What is answered to a rotation that was cancelled meanwhile is of no interest, also if another one is at the same step.
func TestRotationIsLetGo(t *testing.T) {
	inTurns(t, func(w *turns) {
		w.answer = func(string, string) (int, string) { return 0, "" } // no answer
		first, err := w.rotate()
		w.must(first, err)
		synctest.Wait()
		w.must(w.cancelRotateSecret(w.root(), &sdk.CancelRotateSecretInput{SecretId: aws.String("s")}))
		synctest.Wait()
		_, err = w.rotate()
		w.refused("while AWSPENDING is left behind", err, "InvalidRequestException")
		w.must(w.updateSecretVersionStage(w.root(), &sdk.UpdateSecretVersionStageInput{SecretId: aws.String("s"), VersionStage: aws.String(pending), RemoveFromVersionId: &first}))
		w.mu.Lock()
		w.answer = func(string, string) (int, string) { return 200, `{"SecretString":"second"}` }
		w.mu.Unlock()
		second, err := w.rotate()
		w.must(second, err)
		synctest.Wait()
		d := w.describe()
		if got := w.get(current); got != "second" || !slices.Equal(d.VersionIdsToStages[second], []string{current}) || d.VersionIdsToStages[first] != nil {
			t.Errorf("it is %s, %v", got, d.VersionIdsToStages)
		}
	})
}

// [D] Rotations come by themselves when a window opens.
func TestRotationWindows(t *testing.T) {
	for _, c := range []struct {
		rules  types.RotationRulesType
		next   string // what DescribeSecret says: when the window closes
		begins string // the first two rotations, after the beginning of 2000
	}{
		{types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(10)}, "2000-01-12T00:00:00Z", "240h0m0s 480h0m0s"},
		{types.RotationRulesType{ScheduleExpression: aws.String("rate(12 hours)"), Duration: aws.String("3h")}, "2000-01-01T15:00:00Z", "12h0m0s 24h0m0s"},
		{types.RotationRulesType{ScheduleExpression: aws.String("cron(0 8 ? * MON *)"), Duration: aws.String("2h")}, "2000-01-03T10:00:00Z", "56h0m0s 224h0m0s"},
	} {
		inTurns(t, func(w *turns) {
			w.must(w.rotate(later, ourOwn, func(in *sdk.RotateSecretInput) { in.RotationRules = &c.rules }))
			synctest.Wait()
			d := w.describe()
			if got := d.NextRotationDate.Format(time.RFC3339); got != c.next || d.LastRotatedDate != nil {
				t.Errorf("%+v: it says %s, want %s", c.rules, got, c.next)
			}
			was, begins := w.get(current), []string{}
			for h := time.Duration(0); h < 500 && len(begins) < 2; h++ {
				if now := w.get(current); now != was {
					begins, was = append(begins, w.describe().LastRotatedDate.Sub(began).String()), now
				}
				time.Sleep(time.Hour)
				synctest.Wait()
			}
			if got := strings.Join(begins, " "); got != c.begins {
				t.Errorf("%+v: rotated at %s, want %s", c.rules, got, c.begins)
			}
		})
	}
}

// [D] What could not be rotated is refused, and changes nothing.
func TestRotationRefused(t *testing.T) {
	inTurns(t, func(w *turns) {
		w.must(w.createSecret(w.root(), &sdk.CreateSecretInput{Name: aws.String("text"), SecretString: aws.String("text")}))
		w.must(w.createSecret(w.root(), &sdk.CreateSecretInput{Name: aws.String("empty")}))
		rule := func(r types.RotationRulesType) func(in *sdk.RotateSecretInput) {
			return func(in *sdk.RotateSecretInput) { in.RotationRules = &r }
		}
		of := func(name, target string) func(in *sdk.RotateSecretInput) {
			return func(in *sdk.RotateSecretInput) { in.SecretId, in.RotationLambdaARN = &name, &target }
		}
		for what, c := range map[string]struct {
			code   string
			change func(in *sdk.RotateSecretInput)
		}{
			"no target":       {"InvalidRequestException", func(in *sdk.RotateSecretInput) { in.RotationLambdaARN = nil }},
			"a Lambda":        {"UnsupportedFeatureException", of("s", "arn:aws:lambda:us-east-1:000000000000:function:f")},
			"plain http":      {"UnsupportedFeatureException", of("s", "http://rotate.example/")},
			"no JSON":         {"InvalidRequestException", of("text", passwordTarget)},
			"no value":        {"InvalidRequestException", of("empty", target)},
			"no secret":       {"ResourceNotFoundException", of("none", target)},
			"0 days":          {"InvalidParameterException", rule(types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(0)})},
			"both":            {"InvalidParameterException", rule(types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(1), ScheduleExpression: aws.String("rate(1 day)")})},
			"an hour":         {"InvalidParameterException", rule(types.RotationRulesType{ScheduleExpression: aws.String("rate(1 hour)")})},
			"half past":       {"InvalidParameterException", rule(types.RotationRulesType{ScheduleExpression: aws.String("cron(30 8 * * ? *)")})},
			"no schedule":     {"InvalidParameterException", rule(types.RotationRulesType{ScheduleExpression: aws.String("daily")})},
			"a long window":   {"InvalidParameterException", rule(types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(1), Duration: aws.String("25h")})},
			"a short version": {"InvalidParameterException", func(in *sdk.RotateSecretInput) { in.ClientRequestToken = aws.String("v") }},
		} {
			_, err := w.rotate(c.change)
			w.refused(what, err, c.code)
		}
		synctest.Wait()
		if d := w.describe(); d.RotationEnabled != nil || len(d.VersionIdsToStages) != 1 || len(w.calls) != 0 {
			t.Errorf("%+v, %v", d, w.calls)
		}
	})
}

// [D] A rotation that is to wait is tried out: the target is told of testSecret, of a version with AWSPENDING that goes again, whatever
// it says. [I] The version has the value of AWSCURRENT. A member that is killed meanwhile has its successor do it again.
func TestTrialOfARotation(t *testing.T) {
	for name, status := range map[string]int{"answered": 200, "refused": 500} {
		t.Run(name, func(t *testing.T) {
			inTurns(t, func(w *turns) {
				before := w.get(current)
				w.answer = func(step, version string) (int, string) {
					if stages := w.describe().VersionIdsToStages; len(stages) != 2 || !slices.Equal(stages[version], []string{pending}) || w.get(pending) != before {
						t.Errorf("at %s: %v, %s", step, stages, w.get(pending))
					}
					return status, ""
				}
				week := func(in *sdk.RotateSecretInput) {
					in.RotationRules = &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(7)}
				}
				w.must(w.rotate(later, week))
				synctest.Wait()
				time.Sleep(24 * time.Hour)
				d := w.describe()
				if got := w.heard(); got != "testSecret 0s" || len(d.VersionIdsToStages) != 1 || !*d.RotationEnabled || d.NextRotationDate == nil || w.get(current) != before {
					t.Errorf("calls: %s; then %+v", got, d)
				}
				if n := w.values(); n != 1 {
					t.Errorf("%d values are kept", n)
				}
				w.answer = func(string, string) (int, string) { return 200, `{"SecretString":"new"}` }
				w.must(w.rotate()) // nothing is in its way
				synctest.Wait()
				if got := w.get(current); got != "new" {
					t.Errorf("then %s", got)
				}
			})
		})
	}
	inTurns(t, func(w *turns) {
		w.answer = func(string, string) (int, string) { return 0, "" }
		w.must(w.rotate(later))
		synctest.Wait()
		w.stop()
		w.answer = func(string, string) (int, string) { return 200, "" }
		w.start()
		if err := w.DB.AwaitLead(w.Context()); err != nil {
			w.Fatal(err)
		}
		synctest.Wait()
		if got := w.heard(); !strings.HasPrefix(got, "testSecret 0s, testSecret ") || len(w.describe().VersionIdsToStages) != 1 {
			t.Errorf("calls: %s; then %+v", got, w.describe().VersionIdsToStages)
		}
		w.answer = func(string, string) (int, string) { return 0, "" }
		w.must(w.rotate(later))
		synctest.Wait()
		w.must(w.cancelRotateSecret(w.root(), &sdk.CancelRotateSecretInput{SecretId: aws.String("s")}))
		if d := w.describe(); len(d.VersionIdsToStages) != 1 {
			t.Errorf("a trial that was cancelled leaves %v", d.VersionIdsToStages)
		}
	})
}

// values is how many values are kept.
func (w *turns) values() (n int) {
	for range w.DB.Snapshot().SecretValues.All() {
		n++
	}
	return n
}
