package acs

import (
	"encoding/json"
	"slices"
)

// Own are the members of a Task that no two tasks have in common.
type Own struct {
	NetworkInterfaces []ENI      `json:"elasticNetworkInterfaces,omitempty"`
	RoleCredentials   *RoleCreds `json:"roleCredentials,omitempty"`
	ExecutionRole     *RoleCreds `json:"executionRoleCredentials,omitempty"`
}

// AppendOwn gives a Task, which is encoded already and has none of them, members of its own.
func AppendOwn(task []byte, own Own) ([]byte, error) {
	if own.NetworkInterfaces == nil && own.RoleCredentials == nil && own.ExecutionRole == nil {
		return task, nil
	}
	more, err := json.Marshal(own)
	if err != nil || len(more) <= len(`{}`) {
		return task, err
	}
	return append(append(task[:len(task)-1], ','), more[1:]...), nil
}

// EncodePayload frames a payload. Its tasks are encoded already: those of m are not looked at.
func EncodePayload(m PayloadMessage, tasks [][]byte) ([]byte, error) {
	const end = `]}}`
	m.Tasks = []Task{}
	head, err := Encode(m) // Tasks is the last of its members
	if err != nil {
		return nil, err
	}
	size := len(head)
	for _, t := range tasks {
		size += len(t) + 1
	}
	out := append(slices.Grow([]byte(nil), size), head[:len(head)-len(end)]...)
	for i, t := range tasks {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, t...)
	}
	return append(out, end...), nil
}
