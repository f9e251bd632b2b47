package scheduler_test

import (
	"fmt"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
)

// What a decision tried is not to be seen afterwards, whichever rows are told next: those of its placements, others, or none.
func TestAttempt(t *testing.T) {
	cases := map[string]func(k int, row *model.Task){
		"as decided":    func(int, *model.Task) {},
		"only two":      func(k int, row *model.Task) { row.Instance = map[bool]string{true: row.Instance}[k < 2] },
		"running":       func(_ int, row *model.Task) { row.Last = model.TaskRunning },
		"stopped":       func(k int, row *model.Task) { row.Last = map[int]string{1: model.TaskStopped}[k] },
		"other family":  func(k int, row *model.Task) { row.Definition = fmt.Sprintf("api%d:1", k%2) },
		"other group":   func(k int, row *model.Task) { row.Group = fmt.Sprint("service:", k) },
		"other amounts": func(k int, row *model.Task) { row.Reserved.CPU += int64(k % 2) },
		"other ports":   func(_ int, row *model.Task) { row.Reserved.PortsTCP = []int32{81} },
		"other address": func(_ int, row *model.Task) { row.Reserved.Addresses = nil },
		"other GPUs":    func(_ int, row *model.Task) { row.Reserved.GPUs = []string{"g2"} },
		"elsewhere":     func(_ int, row *model.Task) { row.Instance = "i0" },
		"unknown node":  func(_ int, row *model.Task) { row.Instance = "i9" },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRows(t)
			for n := range 6 {
				r.putInstance(model.Instance{ID: fmt.Sprint("i", n), Status: model.InstanceActive, AgentConnected: true,
					Resources:  model.Resources{CPU: 100, Memory: 100, ENIs: 3, GPUs: []string{"g0", "g1", "g2"}},
					Attributes: []model.Attribute{attribute(model.SubnetAttribute, fmt.Sprintf("10.0.%d.0/24", n))}})
			}
			req := request(5, model.Resources{CPU: 2, Memory: 1, ENIs: 1, PortsTCP: []int32{80}})
			req.GPUs, req.Group, req.Family = 1, "service:0", "web"
			for k, p := range scheduler.Place(r.x, req).Placements {
				row := taskAt(&req, p, fmt.Sprint("t", k))
				change(k, &row)
				r.putTask(row)
			}
			if got, want := r.x.Dump(), r.rebuilt(1).Dump(); got != want {
				t.Errorf("the index has\n%s\nand its rows make\n%s", got, want)
			}
		})
	}
}
