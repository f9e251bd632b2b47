package definition

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

// Mould is the payload of all tasks of one Kind, encoded, with gaps for the ids of a task and of its containers: a scale-out of
// thousands renders once. What else no two tasks share, acs.Own, is added to what it casts.
type Mould struct {
	parts [][]byte // what is between the gaps: one more than there are
	gaps  []int    // the place of a container in the task's list, or ofTask
}

const ofTask = -1

// Kind is what a payload depends on besides ids and acs.Own, but for the scope and what surrounds the task. Tasks of one Kind
// in one cluster have equal payloads.
type Kind struct {
	Definition, LaunchType, Group string
	Digests                       string // of the containers' images, with their names
}

// KindOf returns the task's kind; ok is false if the task has a payload that is like no other's: overrides, or GPUs.
func KindOf(task *model.Task) (k Kind, ok bool) {
	if task.Overrides != nil || len(task.Reserved.GPUs) > 0 {
		return Kind{}, false
	}
	k = Kind{Definition: task.Definition, LaunchType: task.LaunchType, Group: task.Group}
	for i := range task.Containers {
		c := &task.Containers[i]
		k.Digests += c.Name + "@" + c.Digest + " "
	}
	return k, true
}

// NewMould renders the payload of a task's kind. Its errors are Payload's. word is one that occurs in no definition, of letters and digits:
// a random one.
func NewMould(task *model.Task, row *model.TaskDefinition, a Around, word string) (*Mould, error) {
	like := *task
	like.ID = word
	like.Containers = slices.Clone(task.Containers)
	for i := range like.Containers {
		like.Containers[i].ID = fmt.Sprintf("%sc%d.", word, i)
	}
	a.ENIs, a.Role = nil, nil
	p, err := Payload(&like, &row.Spec, a)
	if err != nil {
		return nil, err
	}
	p.ExecutionRole = nil
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode the payload of %s: %w", task.Definition, err)
	}
	return cutMould(b, word), nil
}

// cutMould cuts at the word, which stands for a task's id, or followed by cN. for that of its container N.
func cutMould(b []byte, word string) *Mould {
	m := &Mould{}
	for {
		before, rest, found := bytes.Cut(b, []byte(word))
		m.parts = append(m.parts, before)
		if !found {
			return m
		}
		gap := ofTask
		var n int
		if _, err := fmt.Sscanf(string(rest[:min(len(rest), 8)]), "c%d.", &n); err == nil {
			gap = n
			_, rest, _ = bytes.Cut(rest, []byte{'.'})
		}
		m.gaps = append(m.gaps, gap)
		b = rest
	}
}

// Cast is the encoded payload of a task of the mould's kind (acs.Task).
func (m *Mould) Cast(task *model.Task, own acs.Own) ([]byte, error) {
	size := 0
	for _, p := range m.parts {
		size += len(p) + len(task.ID)
	}
	b := append(make([]byte, 0, size), m.parts[0]...)
	for i, gap := range m.gaps {
		id := task.ID
		if gap != ofTask {
			id = task.Containers[gap].ID
		}
		b = append(append(b, id...), m.parts[i+1]...)
	}
	return acs.AppendOwn(b, own)
}
