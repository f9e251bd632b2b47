package ecs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	smithy "github.com/aws/smithy-go"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/controller/deploy"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

const (
	home    = "000000000000"
	abroad  = "111111111111"
	region  = "us-east-1"
	linux64 = "x86_64"
)

var scope = model.Scope{Account: home, Region: region}

// server is the ECS API over the memory backend, spoken to with the real SDK.
type server struct {
	testing.TB
	*sdk.Client // of the root user of home
	db          *state.DB
	gateway     http.Handler
	clock       atomic.Int64 // milliseconds
	ids         atomic.Int64
}

// pollEndpoint tells the two agents' endpoints apart.
func pollEndpoint(stock bool) (string, string) {
	if stock {
		return "http://acs.lasting", "http://tcs.lasting"
	}
	return "http://acs", "http://tcs"
}

func newServer(t testing.TB) *server {
	t.Helper()
	s := &server{TB: t}
	s.clock.Store(1_700_000_000_000)
	s.db = lead(t)
	s.gateway = wire.NewGateway(wire.GatewayConfig{Authenticate: authenticate}, ecs.New(s.config()))
	s.Client = s.client("test", region)
	return s
}

func (s *server) config() ecs.Config {
	c := s.plainConfig()
	loop := &deploy.Loop{NewID: c.NewID, NewUUID: c.NewUUID, Seed: c.Seed}
	c.ServiceStep = func(tx *state.Tx, key string, now time.Time) error {
		_, err := loop.Reconcile(tx, key, now)
		return err
	}
	c.ServiceWhy = func(tx *state.Tx, key string, now time.Time) ([]string, model.Millis) {
		out, _ := loop.Ask(tx, key, now)
		return out.Why, out.Wake
	}
	return c
}

func (s *server) plainConfig() ecs.Config {
	return ecs.Config{
		DB:           s.db,
		Now:          func() time.Time { return time.UnixMilli(s.clock.Load()) },
		NewID:        func() string { return fmt.Sprintf("%032x", s.ids.Add(1)) },
		NewUUID:      func() string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", s.ids.Add(1)) },
		Seed:         func() uint64 { return uint64(s.ids.Add(1)) },
		Subnet:       subnet,
		PollEndpoint: pollEndpoint,
	}
}

// subnet knows subnet-a and subnet-b, in the zones of their letters.
func subnet(_ model.Scope, id string) (string, bool) {
	letter, ok := strings.CutPrefix(id, "subnet-")
	return region + letter, ok && (letter == "a" || letter == "b")
}

func lead(t testing.TB) *state.DB {
	db := state.Open(state.Config{Backend: state.NewMemory().Member(), Advertise: "http://test",
		Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal}, NewIndex: func() state.Index { return scheduler.NewIndex() }})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = db.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	if err := db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	return db
}

// authenticate believes the credential scope: key "test" is the root user of home, "other" that of abroad, "node" a node
// of home. Verifying is tested in auth.
func authenticate(r *http.Request, _ []byte) (context.Context, error) {
	_, credential, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	p := strings.Split(credential, "/")
	if !ok || len(p) < 4 {
		return nil, errors.New("unsigned")
	}
	key := model.AccessKey{ID: p[0], Account: home, Kind: model.KeyRoot}
	switch p[0] {
	case "other":
		key.Account = abroad
	case "node":
		key.Kind = model.KeyNode
	}
	return auth.WithPrincipal(r.Context(), auth.NewPrincipal(key, p[2], p[3])), nil
}

func (s *server) client(key, region string) *sdk.Client {
	return sdk.New(sdk.Options{Region: region, BaseEndpoint: aws.String("http://roadstead.test"), HTTPClient: s,
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""), Retryer: aws.NopRetryer{}})
}

// Do is the SDK's way to the gateway: no socket between them.
func (s *server) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.gateway.ServeHTTP(w, r)
	return w.Result(), nil
}

// raw calls an operation with JSON and returns the status and the JSON of the answer.
func (s *server) raw(op, body string) (int, string) {
	s.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://roadstead.test/", bytes.NewReader([]byte(body)))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113."+op)
	creds := aws.Credentials{AccessKeyID: "test", SecretAccessKey: "secret"}
	if err := v4.NewSigner().SignHTTP(s.Context(), creds, req, "", "ecs", region, time.Now()); err != nil {
		s.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.gateway.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

// rawOK is raw for a call that must succeed; it returns the answer decoded.
func (s *server) rawOK(op, body string) map[string]any {
	s.Helper()
	status, answer := s.raw(op, body)
	if status != http.StatusOK {
		s.Fatalf("%s: %d %s", op, status, answer)
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(answer), &v); err != nil {
		s.Fatal(err)
	}
	return v
}

// must fails the test if err is not nil.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refusal fails the test unless err is the exception with the message; a message that ends with "…" is a prefix.
func refusal(t testing.TB, err error, code, message string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %s: %s", err, code, message)
	}
	prefix, cut := strings.CutSuffix(message, "…")
	if e.ErrorCode() != code || e.ErrorMessage() != message && !(cut && strings.HasPrefix(e.ErrorMessage(), prefix)) {
		t.Fatalf("got %s: %s\nwant %s: %s", e.ErrorCode(), e.ErrorMessage(), code, message)
	}
}

// cluster makes a cluster.
func (s *server) cluster(name string) {
	s.Helper()
	must(s.CreateCluster(s.Context(), &sdk.CreateClusterInput{ClusterName: &name}))(s)
}

// instance registers an instance with 2048 CPU units and 4096 MiB in the zone of the letter, and connects its agent.
func (s *server) instance(cluster, zone string) string {
	s.Helper()
	out := must(s.RegisterContainerInstance(s.Context(), &sdk.RegisterContainerInstanceInput{
		Cluster: &cluster, TotalResources: resources(2048, 4096), Attributes: s.attributes(zone),
	}))(s)
	s.connect(*out.ContainerInstance.ContainerInstanceArn)
	return *out.ContainerInstance.ContainerInstanceArn
}

func resources(cpu, memory int32) []types.Resource {
	return []types.Resource{
		{Name: aws.String("CPU"), Type: aws.String("INTEGER"), IntegerValue: cpu},
		{Name: aws.String("MEMORY"), Type: aws.String("INTEGER"), IntegerValue: memory},
		{Name: aws.String("PORTS"), Type: aws.String("STRINGSET"), StringSetValue: []string{"22", "2375", "2376", "51678", "51679"}},
		{Name: aws.String("PORTS_UDP"), Type: aws.String("STRINGSET"), StringSetValue: []string{}},
	}
}

func (s *server) attributes(zone string) []types.Attribute {
	return []types.Attribute{
		{Name: aws.String("ecs.availability-zone"), Value: aws.String(region + zone)},
		{Name: aws.String("ecs.cpu-architecture"), Value: aws.String(linux64)},
		{Name: aws.String("ecs.os-type"), Value: aws.String("linux")},
		{Name: aws.String("ecs.capability.task-eni")},
		{Name: aws.String("com.amazonaws.ecs.capability.docker-remote-api.1.18")},
		{Name: aws.String("com.amazonaws.ecs.capability.docker-remote-api.1.21")},
	}
}

// connect does what the session does when an agent's websocket opens.
func (s *server) connect(arn string) {
	s.Helper()
	s.changeInstance(arn, func(i *model.Instance) { i.AgentConnected, i.AgentVersion = true, "1.105.1" })
}

func (s *server) changeInstance(arn string, change func(*model.Instance)) {
	s.Helper()
	a, _ := model.ParseARN(arn)
	err := s.db.Update(s.Context(), func(tx *state.Tx) error {
		old, ok := tx.Instances.Get(model.InstanceKey(a.Scope, a.Segments()[0], a.Segments()[1]))
		if !ok {
			return errors.New("no instance " + arn)
		}
		row := *old
		change(&row)
		tx.Instances.Put(&row)
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

// define registers a revision of the family with one container "app" and returns its ARN.
func (s *server) define(family string, change ...func(*sdk.RegisterTaskDefinitionInput)) string {
	s.Helper()
	in := &sdk.RegisterTaskDefinitionInput{Family: &family, ContainerDefinitions: []types.ContainerDefinition{
		{Name: aws.String("app"), Image: aws.String("busybox"), Cpu: 256, Memory: aws.Int32(512)}}}
	for _, f := range change {
		f(in)
	}
	out := must(s.RegisterTaskDefinition(s.Context(), in))(s)
	return *out.TaskDefinition.TaskDefinitionArn
}

func awsvpc(in *sdk.RegisterTaskDefinitionInput) { in.NetworkMode = types.NetworkModeAwsvpc }

func fargate(in *sdk.RegisterTaskDefinitionInput) {
	in.NetworkMode, in.Cpu, in.Memory = types.NetworkModeAwsvpc, aws.String("256"), aws.String("512")
	in.RequiresCompatibilities = []types.Compatibility{types.CompatibilityFargate}
}

func hostPort(port int32) func(*sdk.RegisterTaskDefinitionInput) {
	return func(in *sdk.RegisterTaskDefinitionInput) {
		in.ContainerDefinitions[0].PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(80), HostPort: &port}}
	}
}

func inSubnets(ids ...string) *types.NetworkConfiguration {
	return &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: ids}}
}

// run runs tasks of a definition in the default cluster.
func (s *server) run(def string, count int32) *sdk.RunTaskOutput {
	s.Helper()
	return must(s.RunTask(s.Context(), &sdk.RunTaskInput{TaskDefinition: &def, Count: &count}))(s)
}

// report submits a status of a task and all of its containers as an agent would.
func (s *server) report(task, status string, exit *int32) {
	s.Helper()
	must(s.SubmitTaskStateChange(s.Context(), &sdk.SubmitTaskStateChangeInput{Task: &task, Status: &status,
		Containers: []types.ContainerStateChange{{ContainerName: aws.String("app"), Status: &status, ExitCode: exit, RuntimeId: aws.String("rt")}}}))(s)
}

// describe shows one task of the default cluster.
func (s *server) describe(task string) types.Task {
	s.Helper()
	out := must(s.DescribeTasks(s.Context(), &sdk.DescribeTasksInput{Tasks: []string{task}}))(s)
	if len(out.Tasks) != 1 {
		s.Fatalf("describe %s: %+v", task, out.Failures)
	}
	return out.Tasks[0]
}

// refused is a call that must be refused, named by its rule and the rule's tag.
type refused struct {
	rule, code, message string
	call                func() error
}

func (s *server) refuses(t *testing.T, cases []refused) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) { refusal(t, c.call(), c.code, c.message) })
	}
}

// fails drops the answer of a call that must fail.
func fails[T any](_ T, err error) error { return err }

// reasons are the failures as "arn: reason".
func reasons(fs []types.Failure) []string {
	out := []string{}
	for _, f := range fs {
		out = append(out, aws.ToString(f.Arn)+": "+aws.ToString(f.Reason))
	}
	return out
}

// same fails the test unless two values print alike.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s:\ngot  %s\nwant %s", what, g, w)
	}
}

func inactive(i *model.Instance) { i.Status = model.InstanceInactive }

// wireError reads the error out of a raw answer.
func wireError(body string) error {
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Type == "" {
		return fmt.Errorf("no error: %s", body)
	}
	return &smithy.GenericAPIError{Code: e.Type, Message: e.Message}
}

// words are the values with spaces between.
func words(v ...any) string { return strings.TrimSuffix(fmt.Sprintln(v...), "\n") }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// changeTaskRow writes the one task "t" of the cluster as it is after change.
func (s *server) changeTaskRow(cluster string, change func(*model.Task)) {
	s.Helper()
	row := model.Task{Launch: &model.Launch{Scope: scope, Cluster: cluster, Definition: "web:1"},
		ID: "t", Desired: model.TaskRunning, Last: model.TaskRunning}
	change(&row)
	if err := s.db.Update(s.Context(), func(tx *state.Tx) error { tx.Tasks.Put(&row); return nil }); err != nil {
		s.Fatal(err)
	}
}
