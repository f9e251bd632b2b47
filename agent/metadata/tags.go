package metadata

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
)

// tagsPatience is how long the control plane may take to tell the tags of one resource; two of them fit into Timeout.
const tagsPatience = 2 * time.Second

// errorV4 says why tags are missing (AGENT-PROTOCOL §4.2) [D].
type errorV4 struct {
	Field      string `json:"ErrorField,omitempty"`
	Code       string `json:"ErrorCode,omitempty"`
	Message    string `json:"ErrorMessage,omitempty"`
	StatusCode int    `json:"StatusCode,omitempty"`
	RequestID  string `json:"RequestId,omitempty"`
	Resource   string `json:"ResourceARN,omitempty"`
}

// addTags asks the control plane for the tags of the instance and of the task. What it does not say is left out, and why
// stands in Errors.
func (s *Server) addTags(ctx context.Context, t *taskV4) {
	t.InstanceTags = s.tags(ctx, t, "ContainerInstanceTags", s.cfg.Instance())
	t.TaskTags = s.tags(ctx, t, "TaskTags", t.TaskARN)
}

func (s *Server) tags(ctx context.Context, t *taskV4, field, arn string) map[string]string {
	var out struct {
		Tags []struct {
			Key   string `json:"key"`
			Value string `json:"value"`
		} `json:"tags"`
	}
	ctx, cancel := context.WithTimeout(ctx, tagsPatience)
	defer cancel()
	if err := s.cfg.Call(ctx, "ListTagsForResource", map[string]string{"resourceArn": arn}, &out); err != nil {
		e := errorV4{Field: field, Code: "ServerException", Message: "The control plane cannot be reached.", StatusCode: http.StatusInternalServerError,
			RequestID: uuid.NewString(), Resource: arn}
		if refusal, ok := errors.AsType[*model.Error](err); ok {
			e.Code, e.Message = refusal.Code, refusal.Message
			if refusal.Code != "ServerException" {
				e.StatusCode = http.StatusBadRequest
			}
		}
		t.Errors = append(t.Errors, e)
		return nil
	}
	if len(out.Tags) == 0 {
		return nil
	}
	tags := make(map[string]string, len(out.Tags))
	for _, tag := range out.Tags {
		tags[tag.Key] = tag.Value
	}
	return tags
}
