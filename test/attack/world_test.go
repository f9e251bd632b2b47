package attack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/steady"
)

const (
	region = "us-east-1"
	alpha  = "000000000000" // the account that owns things
	beta   = "111111111111" // the account that would like to
)

// open runs a server with two accounts, whose root users' keys are K and the account's id.
func open(t *testing.T) *server.Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s, err := server.Open(ctx, server.Config{
		DataDir: t.TempDir(), Listen: "127.0.0.1:0", Region: region, Account: alpha, RootKeyID: "K" + alpha, RootSecret: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = s.DB().Update(t.Context(), func(tx *state.Tx) error {
		tx.Accounts.Put(&model.Account{ID: beta})
		tx.AccessKeys.Put(&model.AccessKey{ID: "K" + beta, Secret: "secret of beta", Account: beta, Kind: model.KeyRoot})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clients are the SDK's clients by our services' names, as the root user of the account, over the given transport.
func clients(s *server.Server, account string, over http.RoundTripper) map[string]reflect.Value {
	key := aws.Credentials{AccessKeyID: "K" + account, SecretAccessKey: "secret"}
	if account == beta {
		key.SecretAccessKey = "secret of beta"
	}
	cfg := aws.Config{
		Region: region, BaseEndpoint: aws.String(s.URL()), RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: steady.Transport{Base: over}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return key, nil
		}),
	}
	return map[string]reflect.Value{
		"ecs":            reflect.ValueOf(ecs.NewFromConfig(cfg)),
		"ecr":            reflect.ValueOf(ecr.NewFromConfig(cfg)),
		"iam":            reflect.ValueOf(iam.NewFromConfig(cfg)),
		"sts":            reflect.ValueOf(sts.NewFromConfig(cfg)),
		"ssm":            reflect.ValueOf(ssm.NewFromConfig(cfg)),
		"kms":            reflect.ValueOf(kms.NewFromConfig(cfg)),
		"secretsmanager": reflect.ValueOf(secretsmanager.NewFromConfig(cfg)),
		"logs":           reflect.ValueOf(cloudwatchlogs.NewFromConfig(cfg)),
		"s3":             reflect.ValueOf(s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })),
	}
}

// operation is one that is served, of a client.
type operation struct {
	service, name string
	call          reflect.Value // func(ctx, *Input, ...func(*Options)) (*Output, error)
}

// operations yields every operation that is served.
func operations(t *testing.T, by map[string]reflect.Value) iter.Seq[operation] {
	t.Helper()
	return func(yield func(operation) bool) {
		for _, m := range server.Counted() {
			c, ok := by[m.Name()]
			if !ok {
				t.Errorf("no client of %s: add it to clients", m.Name())
				continue
			}
			for _, name := range m.Served() {
				f := c.MethodByName(name)
				if !f.IsValid() { // the agent's, which the SDK has without a client's method
					continue
				}
				if !yield(operation{m.Name(), name, f}) {
					return
				}
			}
		}
	}
}

// newInput makes an empty input of the operation.
func (o operation) newInput() reflect.Value { return reflect.New(o.call.Type().In(1).Elem()) }

// try calls the operation, and returns what it answered as JSON.
func (o operation) try(ctx context.Context, in reflect.Value) (string, error) {
	out := o.call.Call([]reflect.Value{reflect.ValueOf(ctx), in})
	if err, _ := reflect.TypeAssert[error](out[1]); err != nil {
		return "", err
	}
	if body := out[0].Elem().FieldByName("Body"); body.IsValid() && body.Kind() == reflect.Interface && !body.IsNil() { // of an object
		r, _ := reflect.TypeAssert[io.ReadCloser](body)
		defer r.Close()
		text, err := io.ReadAll(r)
		return fmt.Sprintf("%s %+v", text, out[0].Elem().FieldByName("Metadata").Interface()), err
	}
	text, err := json.Marshal(out[0].Interface())
	if err != nil {
		return fmt.Sprintf("%+v", out[0].Interface()), nil // a stream
	}
	return string(text), nil
}

// rows is every row of the account, one to a line, with its ARN if it has one.
func rows(t *state.Tables, account string) map[string]string {
	found := map[string]string{}
	tables := reflect.ValueOf(t).Elem()
	for i := range tables.NumField() {
		f := tables.Type().Field(i)
		all := tables.Field(i).MethodByName("All")
		if !f.IsExported() || !all.IsValid() {
			continue
		}
		for row := range all.Call(nil)[0].Seq() {
			key := row.MethodByName("Key").Call(nil)[0].String()
			text, _ := json.Marshal(row.Interface())
			if strings.HasPrefix(key, account) || strings.Contains(string(text), `"account":"`+account+`"`) {
				found[f.Name+" "+key] = string(text) + arnOf(row)
			}
		}
	}
	return found
}

func arnOf(row reflect.Value) string {
	if f := row.MethodByName("ARN"); f.IsValid() && f.Type().NumIn() == 0 && f.Type().Out(0).Kind() == reflect.String {
		return " " + f.Call(nil)[0].String()
	}
	return ""
}
