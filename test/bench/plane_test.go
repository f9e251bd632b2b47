//go:build bench || e2e

package bench_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/cli"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/server"
)

const region = "us-east-1"

// plane is a control plane with one instance that takes every task and runs none.
type plane struct {
	endpoint string
}

// startPlane runs a server on loopback with its state in a temporary directory, and an agent that only acknowledges.
func startPlane(b *testing.B) *plane {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, server.Config{
		DataDir: b.TempDir(), Listen: "127.0.0.1:0", Region: region, Account: "000000000000", RootKeyID: "test", RootSecret: "test", Dev: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 2)
	go func() { done <- cli.Paced(ctx, s.Run) }() // as `roadstead server` does
	if err := s.Ready(ctx); err != nil {
		b.Fatal(err)
	}
	p := &plane{endpoint: s.URL()}
	arn := p.register(b)
	go func() { done <- p.acknowledge(ctx, arn) }()
	b.Cleanup(func() { cancel(); <-done; <-done })
	if err := s.AwaitNodes(ctx, 1); err != nil {
		b.Fatal(err)
	}
	return p
}

func (p *plane) client(b *testing.B) *client.Client {
	b.Helper()
	return dial(b, p.endpoint)
}

func dial(b *testing.B, endpoint string) *client.Client {
	b.Helper()
	c, err := client.New(client.Config{Endpoint: endpoint, AccessKeyID: "test", Secret: "test", Region: region, Patience: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

// register makes an instance with room for every task of a benchmark, and the task definition that they run.
func (p *plane) register(b *testing.B) string {
	b.Helper()
	c := p.client(b)
	var out acs.RegisterContainerInstanceResponse
	in := acs.RegisterContainerInstanceRequest{Cluster: "default", Attributes: []acs.Attribute{
		{Name: "com.amazonaws.ecs.capability.docker-remote-api.1.18"}}, TotalResources: []acs.TotalResource{
		{Name: "CPU", Type: "INTEGER", IntegerValue: 1 << 30}, {Name: "MEMORY", Type: "INTEGER", IntegerValue: 1 << 30}}}
	if err := c.Call(b.Context(), "ecs", "RegisterContainerInstance", in, &out); err != nil {
		b.Fatal(err)
	}
	def := map[string]any{"family": "web", "containerDefinitions": []map[string]any{{
		"name": "web", "image": "web:1", "memory": 16, "cpu": 16, "environment": []map[string]string{{"name": "A", "value": "1"}},
		"portMappings": []map[string]any{{"containerPort": 80}}}}}
	if err := c.Call(b.Context(), "ecs", "RegisterTaskDefinition", def, nil); err != nil {
		b.Fatal(err)
	}
	return out.ContainerInstance.ContainerInstanceArn
}

// acknowledge is an agent that takes every payload and does nothing. It shares the processors with what is measured, where
// real ones would not, so it looks for ids in messages and does not decode them.
func (p *plane) acknowledge(ctx context.Context, arn string) error {
	c, err := client.New(client.Config{Endpoint: p.endpoint, AccessKeyID: "test", Secret: "test", Region: region})
	if err != nil {
		return err
	}
	defer c.Close()
	r, err := c.SignedRequest(ctx, "ecs", "/ws?clusterArn=default&containerInstanceArn="+arn)
	if err != nil {
		return err
	}
	ws, _, err := websocket.Dial(ctx, r.URL.String(), &websocket.DialOptions{HTTPHeader: r.Header})
	if err != nil {
		return err
	}
	conn := acs.NewConn(ws) // takes large frames
	var frame bytes.Buffer
	for {
		_, message, err := ws.Reader(ctx)
		if err != nil {
			return err
		}
		frame.Reset()
		if _, err := frame.ReadFrom(message); err != nil {
			return err
		}
		_, rest, _ := bytes.Cut(frame.Bytes(), []byte(`"messageId":"`))
		id, _, _ := bytes.Cut(rest, []byte{'"'})
		switch {
		case bytes.HasPrefix(frame.Bytes(), []byte(`{"type":"PayloadMessage"`)):
			err = conn.Send(ctx, acs.AckRequest{Cluster: "default", ContainerInstance: arn, MessageID: string(id)})
		case bytes.HasPrefix(frame.Bytes(), []byte(`{"type":"HeartbeatMessage"`)):
			err = conn.Send(ctx, acs.HeartbeatAckRequest{MessageID: string(id)})
		}
		if err != nil {
			return err
		}
	}
}

// floor answers every call at once with a body of the size that RunTask's has: what is left is HTTP, signing and the client.
func floor(b *testing.B, answer []byte) string {
	b.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = w.Write(answer)
	}))
	b.Cleanup(srv.Close)
	return srv.URL
}
