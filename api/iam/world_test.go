package iam_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/api/iam"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/seal"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/steady"
	"github.com/roadstead/roadstead/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), // of clients' default transports
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

const account = "000000000000"

// world is an endpoint with the IAM API; whoever is verified may call it.
type world struct {
	*sdk.Client
	other *sdk.Client // of another account
	db    *state.DB
	seal  *seal.Sealer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{db: state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal}})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.db.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	if err := w.db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.seal, err = seal.New(make([]byte, seal.KeyBytes)); err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{"test": account, "other": "111111111111"}
	v := &auth.Verifier{Lookup: func(id string) (model.AccessKey, bool) {
		return model.AccessKey{ID: id, Secret: "secret", Account: keys[id], Kind: model.KeyRoot}, keys[id] != ""
	}}
	s := httptest.NewServer(wire.NewGateway(wire.GatewayConfig{Authenticate: func(r *http.Request, body []byte) (context.Context, error) {
		p, err := v.Verify(r, body)
		return auth.WithPrincipal(r.Context(), p), err
	}}, iam.New(iam.Config{DB: w.db, Policies: policiesOf, Seal: w.seal})))
	t.Cleanup(s.Close)
	open := func(id string) *sdk.Client {
		return sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.URL), RetryMaxAttempts: 1, HTTPClient: steady.Client(),
			Credentials: credentials.NewStaticCredentialsProvider(id, "secret", "")})
	}
	w.Client, w.other = open("test"), open("other")
	return w
}

// policiesOf stands for access: the inline policies of a user.
func policiesOf(t *state.Tables, arn string) (*policy.Principal, *policy.Policies, error) {
	u, ok := t.Users.Get(model.IAMKey(account, arn[strings.LastIndexByte(arn, '/')+1:]))
	if !ok {
		return nil, nil, model.Errorf("NoSuchEntity", "none")
	}
	ps := &policy.Policies{}
	for _, p := range u.Inline {
		doc, err := policy.Parse(policy.UserInline, p.Name, p.Document)
		if err != nil {
			return nil, nil, err
		}
		ps.Identity = append(ps.Identity, doc)
	}
	return &policy.Principal{Kind: policy.User, Account: account, ARN: arn, ID: u.ID}, ps, nil
}

func ok[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refused checks the exception's code and text, as the SDK reads them.
func refused(t *testing.T, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || e.ErrorMessage() != text {
		t.Errorf("got  %v\nwant %s: %s", err, code, text)
	}
}

func decoded(t *testing.T, document *string) string {
	t.Helper()
	s, err := url.QueryUnescape(*document)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	s = aws.String

	readClusters = `{ "Version": "2012-10-17",
  "Statement": [ {"Effect": "Allow", "Action": "ecs:Describe*", "Resource": "*"} ] }`
	tasksTrust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}}`
)
