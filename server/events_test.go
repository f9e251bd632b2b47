package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/server"
)

// A follower hears of what happens as it happens; a stranger hears nothing.
func TestEventsAreStreamed(t *testing.T) {
	s, _ := open(t, server.Config{})
	root := dial(t, s, "root", "secret")
	if err := root.Call(t.Context(), "ecs", "CreateCluster", map[string]any{"clusterName": "c"}, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	lines, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := root.Do(ctx, "GET", "/roadstead/v1/events?follow=true", nil, in)
		in.Close()
		done <- err
	}()
	next := json.NewDecoder(bufio.NewReader(lines))
	heard := make(chan ecs.Event)
	go func() {
		defer close(heard)
		for {
			var e ecs.Event
			if next.Decode(&e) != nil {
				return
			}
			heard <- e
		}
	}()
	register := func() {
		in := map[string]any{"cluster": "c", "totalResources": []map[string]any{{"name": "CPU", "type": "INTEGER", "integerValue": 1024}, {"name": "MEMORY", "type": "INTEGER", "integerValue": 512}}}
		if err := root.Call(ctx, "ecs", "RegisterContainerInstance", in, nil); err != nil {
			t.Error(err)
		}
	}
	for e, tries := (ecs.Event{}), 0; e.DetailType == ""; tries++ { // the first ones may come before the stream begins
		register()
		select {
		case e = <-heard:
			if e.DetailType != "ECS Container Instance State Change" || e.Account != "000000000000" {
				t.Errorf("heard %+v", e)
			}
		default:
		}
		if tries == 1000 {
			t.Fatal("nothing was heard of 1000 instances")
		}
	}
	cancel()
	go func() {
		for range heard {
		}
	}()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the stream ended with %v", err)
	}
	lines.Close()
	err := dial(t, s, "root", "wrong").Do(t.Context(), "GET", "/roadstead/v1/events", nil, io.Discard)
	if model.ErrorCode(err) != "InvalidSignatureException" {
		t.Errorf("a stranger hears: %v", err)
	}
}
