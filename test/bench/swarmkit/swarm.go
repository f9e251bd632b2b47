package main

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/manager/scheduler"
	"github.com/moby/swarmkit/v2/manager/state/store"
)

// swarm places the load with SwarmKit's scheduler on its memory store, and returns how long that took: from the tasks
// being pending until the last one is assigned.
func swarm(ctx context.Context, l load) (time.Duration, error) {
	s := store.NewMemoryStore(nil)
	defer func() { _ = s.Close() }()
	if err := s.Update(func(tx store.Tx) error { return swarmNodes(tx, l) }); err != nil {
		return 0, err
	}
	if err := s.Batch(func(b *store.Batch) error { return swarmTasks(b, l) }); err != nil {
		return 0, err
	}
	sched := scheduler.New(s)
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- sched.Run(ctx) }()
	defer func() { sched.Stop(); <-done }()
	for {
		time.Sleep(20 * time.Millisecond)
		took, n := time.Since(began), 0
		s.View(func(tx store.ReadTx) {
			tasks, err := store.FindTasks(tx, store.ByTaskState(api.TaskStateAssigned))
			if err == nil {
				n = len(tasks)
			}
		})
		if n == l.tasks {
			return took, nil
		}
		if took > patience {
			return 0, fmt.Errorf("swarmkit has placed %d of %d tasks after %v", n, l.tasks, patience)
		}
	}
}

func swarmNodes(tx store.Tx, l load) error {
	for n := range l.nodes {
		err := store.CreateNode(tx, &api.Node{
			ID:     fmt.Sprintf("node%05d", n),
			Spec:   api.NodeSpec{Annotations: api.Annotations{Name: fmt.Sprint("node", n), Labels: map[string]string{"zone": l.zone(n)}}},
			Status: api.NodeStatus{State: api.NodeStatus_READY},
			Description: &api.NodeDescription{Engine: &api.EngineDescription{}, Resources: &api.Resources{
				NanoCPUs: l.nodeCPU * 1e9 / 1024, MemoryBytes: l.nodeMemory << 20}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func swarmTasks(b *store.Batch, l load) error {
	for n := range l.tasks {
		service := fmt.Sprint("service", n%l.services)
		err := b.Update(func(tx store.Tx) error {
			return store.CreateTask(tx, &api.Task{
				ID: fmt.Sprintf("task%06d", n), ServiceID: service, SpecVersion: &api.Version{Index: 1}, DesiredState: api.TaskStateRunning,
				ServiceAnnotations: api.Annotations{Name: service},
				Spec: api.TaskSpec{
					Resources: &api.ResourceRequirements{Reservations: &api.Resources{NanoCPUs: l.taskCPU * 1e9 / 1024, MemoryBytes: l.taskMemory << 20}},
					Placement: &api.Placement{Preferences: []*api.PlacementPreference{{Preference: &api.PlacementPreference_Spread{
						Spread: &api.SpreadOver{SpreadDescriptor: "node.labels.zone"}}}}},
				},
				Status: api.TaskStatus{State: api.TaskStatePending},
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
