package hooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// Bounds of a call.
const (
	callLimit   = 15 * time.Minute // [D]
	answerLimit = 256 << 10        // bytes of the body
	detailLimit = 64 << 10         // bytes of hookDetails, which are kept
	longestWait = 24 * time.Hour   // until a hook wants to be called again
)

// call asks a hook's URL and returns the hook with what it answered. It fails only with ctx. A connection that breaks is
// tried again a few times; whatever else is wrong with an answer is the hook's failure (SEMANTICS §9).
func (h *Hooks) call(ctx context.Context, d *model.Deployment, hook model.Hook) (model.Hook, error) {
	target := targetOf(d, &hook)
	body, err := request(d, &hook)
	if err != nil {
		return failedf(hook, "Lifecycle hook target %s could not be called: %v.", target, err), nil
	}
	for _, pause := range []time.Duration{time.Second, 5 * time.Second, 25 * time.Second, 0} {
		status, answer, err := h.post(ctx, target, body)
		switch {
		case ctx.Err() != nil:
			return hook, ctx.Err()
		case err == nil:
			hook.Calls++
			return h.answered(hook, target, status, answer), nil
		case errors.Is(err, context.DeadlineExceeded):
			return failedf(hook, "Lifecycle hook target %s did not answer within 15 minutes.", target), nil
		case pause == 0:
			return failedf(hook, "Lifecycle hook target %s could not be called: %v.", target, err), nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return hook, ctx.Err()
		}
	}
	return hook, nil
}

// post sends the body and reads the answer.
func (h *Hooks) post(ctx context.Context, target string, body []byte) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "roadstead")
	resp, err := h.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, answerLimit+1))
	return resp.StatusCode, answer, err
}

// invocation is what a target is told: what ECS's Lambda hooks are told [D].
type invocation struct {
	ExecutionDetails executionDetails `json:"executionDetails"`
	ExecutionID      string           `json:"executionId"`
	LifecycleStage   string           `json:"lifecycleStage"`
	ResourceArn      string           `json:"resourceArn"`
	HookDetails      json.RawMessage  `json:"hookDetails,omitempty"`
}

type executionDetails struct {
	ServiceArn               string             `json:"serviceArn"`
	TargetServiceRevisionArn string             `json:"targetServiceRevisionArn"`
	TestTrafficWeights       map[string]float64 `json:"testTrafficWeights"` // by the ARN of the revision
	ProductionTrafficWeights map[string]float64 `json:"productionTrafficWeights"`
}

// request is the body of a call. Only the stages that are about traffic tell of weights [D].
func request(d *model.Deployment, hook *model.Hook) ([]byte, error) {
	green := model.RevisionARN(d.Scope, d.Cluster, d.Service, d.ID)
	p := invocation{ExecutionID: hook.ID, LifecycleStage: d.Stage.Name, ResourceArn: d.ARN(), ExecutionDetails: executionDetails{
		ServiceArn: model.ServiceARN(d.Scope, d.Cluster, d.Service), TargetServiceRevisionArn: green,
		TestTrafficWeights: map[string]float64{}, ProductionTrafficWeights: map[string]float64{},
	}}
	share := func(weights map[string]float64, percent float64) {
		weights[green] = percent
		if blue := d.BlueARN(); blue != "" {
			weights[blue] = 100 - percent
		}
	}
	switch d.Stage.Name {
	case model.StageTestShift:
		share(p.ExecutionDetails.TestTrafficWeights, d.Stage.TestWeight)
	case model.StagePreProductionShift, model.StageProductionShift:
		share(p.ExecutionDetails.ProductionTrafficWeights, d.Stage.ProductionWeight)
	}
	var err error
	if p.HookDetails, err = details(d, hook); err != nil {
		return nil, err
	}
	return json.Marshal(p)
}

// details are those of the hook's configuration with those that its answers have added [D]; nil if there are none.
func details(d *model.Deployment, hook *model.Hook) (json.RawMessage, error) {
	text, err := wire.Marshal(d.HookSpec(hook))
	if err != nil {
		return nil, fmt.Errorf("encode hook: %w", err)
	}
	var spec struct {
		HookDetails json.RawMessage `json:"hookDetails"`
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, fmt.Errorf("encode hook: %w", err)
	}
	if hook.Details == "" {
		return spec.HookDetails, nil
	}
	return merge(spec.HookDetails, json.RawMessage(hook.Details))
}

// merge returns the members of both objects; those of the second win. What is no object loses.
func merge(first, second json.RawMessage) (json.RawMessage, error) {
	var all, more map[string]json.RawMessage
	if json.Unmarshal(first, &all) != nil || all == nil {
		return second, nil
	}
	if json.Unmarshal(second, &more) != nil {
		return first, nil
	}
	maps.Copy(all, more)
	return json.Marshal(all)
}

// answered returns the hook with an answer.
func (h *Hooks) answered(hook model.Hook, target string, status int, body []byte) model.Hook {
	unreadable := func(format string, args ...any) model.Hook {
		return failedf(hook, "ECS was unable to parse the response from %s due to: %s.", target, fmt.Sprintf(format, args...)) // [O]
	}
	var answer struct {
		HookStatus    string          `json:"hookStatus"`
		CallBackDelay *float64        `json:"callBackDelay"` // seconds
		HookDetails   json.RawMessage `json:"hookDetails"`
	}
	switch err := json.Unmarshal(body, &answer); {
	case status < 200 || status > 299:
		return failedf(hook, "Lifecycle hook target %s answered with HTTP status %d.", target, status) // [I]
	case len(body) > answerLimit:
		return unreadable("it is longer than %d bytes", answerLimit)
	case err != nil:
		return unreadable("%v", err)
	}
	switch answer.HookStatus {
	case "SUCCEEDED":
		hook.Status = model.HookSucceeded
		return hook
	case "FAILED":
		return failedf(hook, "Lifecycle hook target %s returned FAILED status.", target) // [O]
	case "IN_PROGRESS":
	case "":
		return unreadable("HookStatus must not be null") // [O]
	default:
		return unreadable("HookStatus must be SUCCEEDED, FAILED or IN_PROGRESS")
	}
	if more := answer.HookDetails; len(more) > 0 && string(more) != "null" {
		kept, err := merge(json.RawMessage(hook.Details), more)
		if err != nil || len(kept) > detailLimit {
			return unreadable("HookDetails must be an object of at most %d bytes", detailLimit)
		}
		hook.Details = string(kept)
	}
	wait := again
	if s := answer.CallBackDelay; s != nil {
		wait = time.Duration(min(max(*s, 1), longestWait.Seconds()) * float64(time.Second))
	}
	hook.CallAt = h.now() + wait.Milliseconds()
	return hook
}
