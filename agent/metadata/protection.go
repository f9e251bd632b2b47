package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/model"
)

const (
	// protectionPatience bounds the call to the control plane (AGENT-PROTOCOL §4.2).
	protectionPatience = 4 * time.Second
	maxBody            = 64 << 10
)

// reply is one of protection, failure and error (SEMANTICS §8.11).
type reply struct {
	RequestID  string      `json:"requestID,omitempty"`
	Protection *protection `json:"protection,omitempty"`
	Failure    *failure    `json:"failure,omitempty"`
	Error      *refusal    `json:"error,omitempty"`
}

type protection struct {
	ExpirationDate    *time.Time
	ProtectionEnabled bool
	TaskArn           string
}

type failure struct {
	Arn    string
	Detail *string
	Reason string
}

type refusal struct {
	Arn     string `json:",omitempty"`
	Code    string
	Message string
}

// wish is the body of a PUT.
type wish struct {
	ProtectionEnabled *bool
	ExpiresInMinutes  *int64
}

// operation is the input of ECS's two operations, of which Get knows the first two members.
type operation struct {
	Cluster           string   `json:"cluster"`
	Tasks             []string `json:"tasks"`
	ProtectionEnabled *bool    `json:"protectionEnabled,omitempty"`
	ExpiresInMinutes  *int64   `json:"expiresInMinutes,omitempty"`
}

// outcome is their output.
type outcome struct {
	ProtectedTasks []struct {
		ExpirationDate    *float64 `json:"expirationDate"` // seconds since the epoch
		ProtectionEnabled bool     `json:"protectionEnabled"`
		TaskArn           string   `json:"taskArn"`
	} `json:"protectedTasks"`
	Failures []struct {
		Arn    string  `json:"arn"`
		Detail *string `json:"detail"`
		Reason string  `json:"reason"`
	} `json:"failures"`
}

func (s *Server) getProtection(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.protectable(w, r); ok {
		s.protect(w, r, "GetTaskProtection", operation{Cluster: v.Task.ClusterArn, Tasks: []string{v.Task.Arn}})
	}
}

func (s *Server) putProtection(w http.ResponseWriter, r *http.Request) {
	v, ok := s.protectable(w, r)
	if !ok {
		return
	}
	var in wish
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	switch err := d.Decode(&in); {
	case err != nil:
		refuse(w, http.StatusBadRequest, v.Task.Arn, "InvalidParameterException", "UpdateTaskProtection: failed to decode request") // [I]
	case in.ProtectionEnabled == nil:
		refuse(w, http.StatusBadRequest, v.Task.Arn, "InvalidParameterException", "Invalid request: does not contain 'ProtectionEnabled' field") // [I]
	default:
		s.protect(w, r, "UpdateTaskProtection", operation{
			Cluster: v.Task.ClusterArn, Tasks: []string{v.Task.Arn}, ProtectionEnabled: in.ProtectionEnabled, ExpiresInMinutes: in.ExpiresInMinutes,
		})
	}
}

// protectable finds the task that asks, or answers that there is none.
func (s *Server) protectable(w http.ResponseWriter, r *http.Request) (task.View, bool) {
	v, _, ok := s.asker(r)
	if !ok {
		refuse(w, http.StatusNotFound, "", "ResourceNotFoundException", "Failed to find a task for the request") // [I]
	}
	return v, ok
}

// protect calls the operation and hands on what it says of the task.
func (s *Server) protect(w http.ResponseWriter, r *http.Request, op string, in operation) {
	ctx, cancel := context.WithTimeout(r.Context(), protectionPatience)
	defer cancel()
	var out outcome
	arn := in.Tasks[0]
	err := s.cfg.Call(ctx, op, in, &out)
	refused, isRefusal := errors.AsType[*model.Error](err)
	switch {
	case isRefusal:
		refuse(w, status(refused.Code), arn, refused.Code, refused.Message)
	case err != nil && ctx.Err() != nil:
		refuse(w, http.StatusGatewayTimeout, arn, "RequestCanceled", "Timed out calling ECS Task Protection API") // [I]
	case err != nil:
		refuse(w, http.StatusInternalServerError, arn, "ServerException", "The control plane cannot be reached.") // [I]
	case len(out.Failures) == 1:
		f := out.Failures[0]
		answer(w, http.StatusOK, reply{Failure: &failure{Arn: f.Arn, Detail: f.Detail, Reason: f.Reason}})
	case len(out.ProtectedTasks) == 1:
		p := out.ProtectedTasks[0]
		answer(w, http.StatusOK, reply{Protection: &protection{ExpirationDate: moment(p.ExpirationDate), ProtectionEnabled: p.ProtectionEnabled, TaskArn: p.TaskArn}})
	default:
		refuse(w, http.StatusInternalServerError, arn, "ServerException", "Unexpected error occurred") // [I]
	}
}

// refuse answers with an error, under an id of its own: what the control plane calls a request nobody here can look up.
func refuse(w http.ResponseWriter, status int, arn, code, message string) {
	answer(w, status, reply{RequestID: uuid.NewString(), Error: &refusal{Arn: arn, Code: code, Message: message}})
}

// status is that of an exception in AWS's JSON protocol.
func status(code string) int {
	switch code {
	case "ServerException", "InternalFailure":
		return http.StatusInternalServerError
	case "ServiceUnavailable", "ServiceUnavailableException":
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// moment is the time of an API's number, nil for none.
func moment(seconds *float64) *time.Time {
	if seconds == nil {
		return nil
	}
	t := time.UnixMilli(int64(*seconds*1000 + 0.5)).UTC()
	return &t
}
