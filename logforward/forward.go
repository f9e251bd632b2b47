package logforward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Config says what is sent with. DB and Store are required.
type Config struct {
	DB    *state.DB
	Store *logstore.Store
	// Plain are beginnings of http:// URLs that may be sent to. Host and port have to be the same, and the path in the same folder.
	Plain []string
	// Transport sends the calls; nil is one of our own, that knows the proxies and certificates of the environment.
	Transport http.RoundTripper
	// Ready waits until the store has what was acknowledged by earlier leaders; nil: it has.
	Ready func(ctx context.Context) error
	// Moved hears that how far the filters of a group are has changed: twice a second at most, for each.
	Moved func(group string)
	Now   func() time.Time // nil means time.Now
	Log   *slog.Logger     // nil means none
}

// Forwarder sends for all filters.
type Forwarder struct {
	cfg    Config
	client *http.Client
}

// callLimit is how long a destination may take for one message.
const callLimit = 30 * time.Second

// New returns a forwarder that sends nothing before Run, but for Check.
func New(cfg Config) *Forwarder {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Ready == nil {
		cfg.Ready = func(context.Context) error { return nil }
	}
	if cfg.Moved == nil {
		cfg.Moved = func(string) {}
	}
	if cfg.Transport == nil {
		cfg.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	return &Forwarder{cfg: cfg, client: &http.Client{
		Transport:     cfg.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       callLimit,
	}}
}

// Allowed says why a destination must not be sent to; nil if it may.
func (f *Forwarder) Allowed(destination string) error {
	u, err := url.Parse(destination)
	if err != nil || u.Host == "" || u.User != nil {
		return errors.New("it is no URL of a host")
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		for _, p := range f.cfg.Plain {
			if plain, err := url.Parse(p); err == nil && plain.Scheme == "http" && plain.Host == u.Host && within(plain.Path, u.Path) {
				return nil
			}
		}
		return errors.New("it is a http:// URL that the operator has not allowed (--log-destinations)")
	}
	return errors.New("it is no https:// URL")
}

// within says whether a path is the folder, or in it. What may climb out of it is not.
func within(folder, path string) bool {
	folder = strings.TrimSuffix(folder, "/")
	return path == folder || strings.HasPrefix(path, folder+"/") && !strings.Contains(path, "..")
}

// Check sends a destination the message that CloudWatch Logs begins with. It is a *model.Error if the destination may not be sent to
// at all: that is for whoever named it to know, and how a connection failed is not.
func (f *Forwarder) Check(ctx context.Context, destination string) error {
	if err := f.Allowed(destination); err != nil {
		return model.Errorf("InvalidParameterException", "Log events cannot be sent to %s: %s.", destination, err)
	}
	return f.send(ctx, destination, control(f.cfg.Now().UnixMilli()))
}

// send posts one message. What does not answer with 2xx has not taken it.
func (f *Forwarder) send(ctx context.Context, destination string, m message) error {
	if err := f.Allowed(destination); err != nil {
		return err
	}
	body, err := m.pack()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, destination, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("User-Agent", "roadstead")
	resp, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("the destination answered with HTTP status %d", resp.StatusCode)
	}
	return nil
}
