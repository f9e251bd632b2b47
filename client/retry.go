package client

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
)

const (
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
)

// retry sends the call until it is answered, until patience or ctx ends. It repeats only what cannot have had an effect
// or what AWS's own clients repeat: no connection, a server fault, throttling. A connection that breaks after the
// request was sent is not repeated: nobody knows whether the request was carried out.
func (c *Client) retry(ctx context.Context, k call, out any) error {
	deadline := time.Now().Add(c.patience)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := c.send(ctx, k, out)
		if err == nil || !retriable(err) {
			return err
		}
		wait := pause/2 + rand.N(pause/2) // jitter, so that agents do not come back all at once
		if time.Until(deadline) < wait {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func retriable(err error) bool {
	if _, ok := errors.AsType[*serverFault](err); ok {
		return true
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	return strings.HasPrefix(model.ErrorCode(err), "Throttling")
}

// serverFault marks an answer of status 5xx.
type serverFault struct{ error }

func (f *serverFault) Unwrap() error { return f.error }

// decodeError turns an answer into a *model.Error; an answer that is none of ours (a proxy's page) keeps its status.
func decodeError(resp *http.Response, body []byte) error {
	e := &model.Error{Code: resp.Header.Get("X-Amzn-Errortype")}
	var members map[string]any
	if json.Unmarshal(body, &members) == nil {
		for name, v := range members {
			text, _ := v.(string)
			switch name {
			case "__type":
				e.Code = text
			case "message", "Message":
				e.Message = text
			default:
				if e.Fields == nil {
					e.Fields = map[string]any{}
				}
				e.Fields[name] = v
			}
		}
	}
	if e.Code == "" {
		e.Code, e.Message = xmlError(body)
	}
	e.Code, _, _ = strings.Cut(e.Code, ":")
	if i := strings.LastIndexByte(e.Code, '#'); i >= 0 { // "namespace#Code"
		e.Code = e.Code[i+1:]
	}
	if e.Code == "" {
		e.Code = "HTTP" + strconv.Itoa(resp.StatusCode)
		e.Message = http.StatusText(resp.StatusCode)
	}
	if resp.StatusCode >= 500 {
		return &serverFault{e}
	}
	return e
}
