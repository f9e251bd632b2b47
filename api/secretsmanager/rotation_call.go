package secretsmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/roadstead/roadstead/model"
)

// Bounds of a call.
const (
	callLimit   = 15 * time.Minute // that of Lambda [D]
	answerLimit = 2 * maxValue     // bytes of the body
)

// invocation is what a target is told: what AWS's rotation functions are told [D].
type invocation struct {
	Step               string
	SecretID           string `json:"SecretId"` // the ARN
	ClientRequestToken string // the id of the version that is made
}

// answered is what an answer may say. All of it is ours.
type answered struct {
	SecretString *string // of createSecret: the new value, for targets that do not put it themselves
}

// post tells a target of a step. Whatever is no success is an error, which says nothing of the answer's body.
func (a *api) post(ctx context.Context, row *model.Secret) (out answered, err error) {
	body, err := json.Marshal(invocation{row.Rotation.Step, row.ARN(), row.Rotation.Version})
	if err != nil {
		return out, err
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, row.Rotation.Target, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "roadstead")
	resp, err := a.client.Do(req)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit+1))
	switch {
	case err != nil:
		return out, err
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return out, fmt.Errorf("the target answered with HTTP status %d", resp.StatusCode)
	case len(text) > answerLimit:
		return out, fmt.Errorf("the target answered with more than %d bytes", answerLimit)
	}
	_ = json.Unmarshal(text, &out) // an answer that is none of ours says nothing
	return out, nil
}
