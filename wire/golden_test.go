package wire_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// A snapshot is one of the SDK module's recorded requests or answers: a first line, headers, a blank line, the body.
type snapshot struct {
	name   string // of the operation or the exception
	first  string
	header http.Header
	body   []byte
}

// snapshots reads the module's files with the suffix from the module cache.
func snapshots(t *testing.T, service, folder, suffix string) []snapshot {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+service).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), folder, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	var all []snapshot
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parseSnapshot(t, strings.TrimSuffix(filepath.Base(path), suffix), raw))
	}
	return all
}

func parseSnapshot(t *testing.T, name string, raw []byte) snapshot {
	t.Helper()
	s := snapshot{name: name, header: http.Header{}}
	r := bufio.NewReader(bytes.NewReader(raw))
	line := func() string {
		l, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return strings.TrimRight(l, "\r\n")
	}
	s.first = line()
	for l := line(); ; l = line() {
		if key, value, ok := strings.Cut(l, ": "); ok {
			s.header.Add(key, value)
		} else if len(s.header) > 0 {
			break
		}
	}
	var err error
	if s.body, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	return s
}

// [D] SEMANTICS 1.7: the SDK's recorded requests decode into inputs that encode to the same JSON.
func TestRequestSnapshots(t *testing.T) {
	tests := []struct {
		service *wire.Service
		client  any
		least   int
	}{
		{wire.ECS(), &ecs.Client{}, 88},
		{wire.ECR(), &ecr.Client{}, 58},
	}
	for _, tt := range tests {
		t.Run(tt.service.Name, func(t *testing.T) {
			all := snapshots(t, tt.service.Name, "request_snapshot", ".request.snap")
			if len(all) < tt.least {
				t.Fatalf("found %d snapshots, want %d", len(all), tt.least)
			}
			for _, snap := range all {
				t.Run(snap.name, func(t *testing.T) {
					in := sendSnapshot(t, tt.service, tt.client, snap)
					got, err := wire.Marshal(in)
					if err != nil {
						t.Fatal(err)
					}
					if want := sortedJSON(snap.body); sortedJSON(got) != want {
						t.Errorf("decoded and encoded again:\n got %s\nwant %s", sortedJSON(got), want)
					}
				})
			}
		})
	}
}

// The recorded query requests of STS: every parameter reaches a member [D].
func TestQueryRequestSnapshots(t *testing.T) {
	all := snapshots(t, "sts", "request_snapshot", ".request.snap")
	if len(all) < 10 {
		t.Fatalf("found %d snapshots", len(all))
	}
	for _, snap := range all {
		t.Run(snap.name, func(t *testing.T) {
			in := sendSnapshot(t, wire.STS(), &sts.Client{}, snap)
			// Each leaf of the input is one parameter; two more are Action and Version.
			want := strings.Count(string(snap.body), "&") + 1 - 2
			if got := leaves(reflect.ValueOf(in)); got != want {
				t.Errorf("decoded %d parameters of %d: %s", got, want, snap.body)
			}
		})
	}
}

func leaves(v reflect.Value) int {
	n := 0
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return 0
		}
		return leaves(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				n += leaves(v.Field(i))
			}
		}
		return n
	case reflect.Slice:
		for i := range v.Len() {
			n += leaves(v.Index(i))
		}
		return n
	}
	if v.IsZero() {
		return 0
	}
	return 1
}

// sendSnapshot sends a recorded request through a gateway and returns the input its handler got.
func sendSnapshot(t *testing.T, service *wire.Service, client any, snap snapshot) any {
	t.Helper()
	method := reflect.ValueOf(client).MethodByName(snap.name)
	mux := wire.NewMux(service)
	var seen any
	wire.HandleAny(mux, snap.name, method.Type().In(1).Elem(), method.Type().Out(0).Elem(), func(in any) (any, error) {
		seen = in
		return reflect.New(method.Type().Out(0).Elem()).Interface(), nil
	})
	verb, path, _ := strings.Cut(snap.first, " ")
	r := httptest.NewRequest(verb, path, bytes.NewReader(snap.body))
	r.Header = snap.header
	w := httptest.NewRecorder()
	testGateway(mux).ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return seen
}

// [D] SEMANTICS 1.7: what the SDK decodes from its recorded answers, we encode to the same JSON.
func TestResponseSnapshots(t *testing.T) {
	tests := []struct {
		service string
		client  func(aws.Config) any
		least   int
	}{
		{"ecs", func(c aws.Config) any { return ecs.NewFromConfig(c) }, 88},
		{"ecr", func(c aws.Config) any { return ecr.NewFromConfig(c) }, 58},
	}
	for _, tt := range tests {
		t.Run(tt.service, func(t *testing.T) {
			all := snapshots(t, tt.service, "response_snapshot", ".response.snap")
			if len(all) < tt.least {
				t.Fatalf("found %d snapshots, want %d", len(all), tt.least)
			}
			for _, snap := range all {
				t.Run(snap.name, func(t *testing.T) {
					method := reflect.ValueOf(tt.client(replay(snap))).MethodByName(snap.name)
					in := reflect.New(method.Type().In(1).Elem())
					fill(in.Elem(), "x", map[reflect.Type]int{})
					results := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), in})
					if err, _ := reflect.TypeAssert[error](results[1]); err != nil {
						t.Fatal(err)
					}
					got, err := wire.MarshalAnswer(results[0].Interface())
					if err != nil {
						t.Fatal(err)
					}
					want := snap.body
					if len(want) == 0 { // an answer without members
						want = []byte("{}")
					}
					if sortedJSON(got) != sortedJSON(want) {
						t.Errorf("encoded again:\n got %s\nwant %s", sortedJSON(got), sortedJSON(want))
					}
				})
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) Do(r *http.Request) (*http.Response, error) { return f(r) }

// replay is a client configuration whose every call gets the recorded answer.
func replay(snap snapshot) aws.Config {
	return aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient: roundTripper(func(r *http.Request) (*http.Response, error) {
			status, err := strconv.Atoi(snap.first)
			return &http.Response{StatusCode: status, Header: snap.header, Body: io.NopCloser(bytes.NewReader(snap.body)), Request: r}, err
		}),
	}
}

// [D] SEMANTICS 1.4: every exception of the models, with its extra members, is answered as recorded.
func TestErrorSnapshots(t *testing.T) {
	for _, service := range []*wire.Service{wire.ECS(), wire.ECR()} {
		t.Run(service.Name, func(t *testing.T) {
			all := snapshots(t, service.Name, "response_snapshot", ".error.snap")
			if len(all) < 25 {
				t.Fatalf("found %d snapshots", len(all))
			}
			for _, snap := range all {
				t.Run(snap.name, func(t *testing.T) {
					var fields map[string]any
					if err := json.Unmarshal(snap.body, &fields); err != nil {
						t.Fatal(err)
					}
					refusal := &model.Error{Code: fields["__type"].(string), Fields: fields}
					refusal.Message, _ = fields["message"].(string)
					delete(fields, "__type")
					delete(fields, "message")
					w := callJSON(t, service, refusal)
					if w.Body.String() != "" && sortedJSON(w.Body.Bytes()) != sortedJSON(snap.body) {
						t.Errorf("got %s, want %s", sortedJSON(w.Body.Bytes()), sortedJSON(snap.body))
					}
					// The model says 403 for AccessDeniedException; ECS answers 400 [O].
					if strconv.Itoa(w.Code) != snap.first && snap.name != "AccessDeniedException" {
						t.Errorf("status %d, want %s", w.Code, snap.first)
					}
				})
			}
		})
	}
}

// callJSON calls the service's first operation, whose handler fails with err.
func callJSON(t *testing.T, service *wire.Service, err error) *httptest.ResponseRecorder {
	t.Helper()
	mux := wire.NewMux(service)
	op := service.Operations[0]
	empty := reflect.TypeFor[struct{}]()
	wire.HandleAny(mux, op, empty, empty, func(any) (any, error) { return (*struct{})(nil), err })
	r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/x-amz-json-"+service.JSONVersion)
	r.Header.Set("X-Amz-Target", service.TargetPrefix+"."+op)
	w := httptest.NewRecorder()
	testGateway(mux).ServeHTTP(w, r)
	return w
}
