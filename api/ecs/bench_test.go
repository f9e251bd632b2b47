package ecs_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

// BenchmarkRunTask measures the handler without HTTP, 64 callers at a time as agents of load would be, over the memory
// backend; floor is the placement alone.
func BenchmarkRunTask(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("instances=%d", n), func(b *testing.B) { benchRun(b, n, nil) })
	}
	b.Run("instances=100/overrides", func(b *testing.B) {
		name, v := "app", "v"
		benchRun(b, 100, &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{
			{Name: &name, Environment: []types.KeyValuePair{{Name: &name, Value: &v}}}}})
	})
	b.Run("instances=100/floor", func(b *testing.B) {
		s := benchServer(b, 100)
		x := scheduler.IndexOf(s.db.Snapshot().Tables)
		for b.Loop() {
			scheduler.Place(x, scheduler.Request{Scope: scope, Cluster: "default", Count: 1, Need: model.Resources{CPU: 1, Memory: 1}})
		}
	})
}

func benchRun(b *testing.B, instances int, o *types.TaskOverride) {
	s := benchServer(b, instances)
	def := s.define("web")
	run := ecs.RunTask(s.config())
	ctx := auth.WithPrincipal(context.Background(), auth.NewPrincipal(model.AccessKey{ID: "test", Account: home, Kind: model.KeyRoot}, region, "ecs"))
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			out, err := run(ctx, &sdk.RunTaskInput{TaskDefinition: &def, Overrides: o})
			if err != nil || len(out.Tasks) != 1 {
				b.Errorf("%v %v", out, err)
				return
			}
		}
	})
}

// BenchmarkRunTaskWire is BenchmarkRunTask with the JSON in and out, but neither signature nor socket.
func BenchmarkRunTaskWire(b *testing.B) {
	s := benchServer(b, 10)
	s.define("web")
	const body = `{"taskDefinition":"web","startedBy":"bench","overrides":{"containerOverrides":[{"name":"app","command":["true"]}]}}`
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			req.Header.Set("Content-Type", "application/x-amz-json-1.1")
			req.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.RunTask")
			req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=0")
			w := httptest.NewRecorder()
			if s.gateway.ServeHTTP(w, req); w.Code != http.StatusOK {
				b.Errorf("%d %s", w.Code, w.Body)
				return
			}
		}
	})
}

// benchServer has instances that nothing fills.
func benchServer(b *testing.B, n int) *server {
	s := newServer(b)
	s.cluster("default")
	err := s.db.Update(b.Context(), func(tx *state.Tx) error {
		for i := range n {
			row := &model.Instance{Scope: scope, Cluster: "default", ID: fmt.Sprintf("%032x", i), Status: model.InstanceActive,
				AgentConnected: true, Resources: model.Resources{CPU: 1 << 40, Memory: 1 << 40}}
			tx.Instances.Put(row)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}
