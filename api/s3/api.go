// Package s3 is the S3 API, as far as files of tasks need it: buckets, objects, their lists and multipart uploads.
//
// S3 speaks neither JSON nor queries, but REST with XML, and its bodies may be larger than memory: so this package decodes its
// requests itself, as no other does. Buckets, objects and uploads are rows; what objects hold is in the object store
// (docs/decisions/024). The package must not know how contents are stored, or that there are members; policies are asked through
// Config.May.
package s3

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/objectstore"
	"github.com/roadstead/roadstead/state"
)

// Config says what the API is made of. Everything up to NewID is required.
type Config struct {
	DB       *state.DB
	Store    *objectstore.Store
	Verifier *auth.Verifier
	// May decides about an action ("GetObject") on what is named.
	May    func(r *http.Request, p *auth.Principal, action string, on *On) error
	Region string
	NewID  func() string // 32 hex digits, another each time
	// Hosts are the host names below which buckets have host names of their own, BUCKET.HOST, without ports.
	Hosts []string
	// Explain puts an error that is not for callers into words for them, or returns nil.
	Explain func(error) *model.Error
	Now     func() time.Time // nil means time.Now
	Log     *slog.Logger     // nil means slog.Default()
}

// On is what an action is about, with what its condition keys are made of.
type On struct {
	Bucket, Key                string
	Prefix, Delimiter, MaxKeys string
	LocationConstraint         string
}

// API answers requests to S3.
type API struct {
	Config
	handlers map[string]handler
}

// handler answers a call, or returns why not; then it has written nothing.
type handler struct {
	name string
	run  func(*call) error
	// query are the parameters that it understands, besides those that all do.
	query string
}

// New returns the API.
func New(cfg Config) *API {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Explain == nil {
		cfg.Explain = func(error) *model.Error { return nil }
	}
	a := &API{Config: cfg}
	a.handlers = a.routes()
	return a
}

// call is a request, and what was found out about it.
type call struct {
	http.ResponseWriter
	*http.Request
	who         auth.Principal
	body        *auth.Body
	bucket, key string
	id          string
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{ResponseWriter: w, Request: r, id: strings.ToUpper(a.NewID()[:16])}
	w.Header().Set("X-Amz-Request-Id", c.id)
	w.Header().Set("X-Amz-Id-2", base64.StdEncoding.EncodeToString([]byte(c.id)))
	name := ""
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares the panic value itself
				panic(p)
			}
			a.refuse(c, name, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	err := a.verify(c)
	if err == nil {
		var h handler
		h, err = a.route(c)
		if name = h.name; err == nil && !c.takesBody(name) {
			err = c.ignoreBody()
		}
		if err == nil {
			err = h.run(c)
		}
	}
	if err != nil {
		a.refuse(c, name, err)
	}
}

// verify finds out who asks, and for which bucket and key.
func (a *API) verify(c *call) error {
	var err error
	if c.who, c.body, err = a.Verifier.VerifyObject(c.Request); err != nil {
		return err
	}
	c.who.Region = a.Region
	c.lower()
	path := strings.TrimPrefix(c.URL.Path, "/")
	if c.bucket = a.virtual(c.Host); c.bucket != "" {
		c.key = path
	} else {
		c.bucket, c.key, _ = strings.Cut(path, "/")
	}
	if c.key != "" {
		return checkKey(c.key)
	}
	return nil
}

// lower makes headers of the parameters x-amz-meta-*, x-amz-acl and so on of a presigned URL, as S3 does: whoever presigns may put them
// there, so that whoever uses the URL sends no header that was signed [O]. A header that is there counts before a parameter [I].
func (c *call) lower() {
	query := c.URL.Query()
	if !query.Has("X-Amz-Signature") {
		return
	}
	r := *c.Request
	r.Header = r.Header.Clone()
	for name, values := range query {
		header := http.CanonicalHeaderKey(name)
		switch header {
		case "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Signedheaders", "X-Amz-Signature", "X-Amz-Security-Token",
			"X-Amz-Content-Sha256": // the signature's
			continue
		}
		if strings.HasPrefix(header, "X-Amz-") && c.Header()[header] == nil {
			r.Header[header] = values
		}
	}
	c.Request = &r
}

// virtual is the bucket that a host name names, "" if it names none.
func (a *API) virtual(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	for _, base := range a.Hosts {
		if bucket, ok := strings.CutSuffix(strings.ToLower(host), "."+base); ok && bucket != "" && net.ParseIP(base) == nil {
			return bucket
		}
	}
	return ""
}

// may asks for permission, of policies of the caller and of the bucket, and returns the bucket, whose owner has to be the one that the
// request expects.
func (a *API) may(c *call, action string, on *On) (*model.Bucket, error) {
	return a.mayOf(c, action, on, "X-Amz-Expected-Bucket-Owner")
}

// mayOf is may with the header that says whom the request expects as the bucket's owner.
func (a *API) mayOf(c *call, action string, on *On, owner string) (*model.Bucket, error) {
	if err := a.May(c.Request, &c.who, action, on); err != nil {
		return nil, denied(err)
	}
	b, ok := a.DB.Snapshot().Buckets.Get(on.Bucket)
	if !ok {
		return nil, errNoBucket(on.Bucket)
	}
	if want := c.Header().Get(owner); want != "" && want != b.Account {
		return nil, errDenied()
	}
	return b, nil
}

// Header is that of the request: the answer's is ResponseWriter.Header.
func (c *call) Header() http.Header { return c.Request.Header }

// onObject asks for permission to do something with the object that is asked for.
func (a *API) onObject(c *call, action string) (*model.Bucket, error) {
	return a.may(c, action, &On{Bucket: c.bucket, Key: c.key})
}

func (a *API) onBucket(c *call, action string) (*model.Bucket, error) {
	return a.may(c, action, &On{Bucket: c.bucket})
}

// same returns the bucket's row in a transaction if it is still the one that permission was asked for.
func same(tx *state.Tx, b *model.Bucket) error {
	if now, ok := tx.Buckets.Get(b.Name); !ok || now.ID != b.ID {
		return errNoBucket(b.Name)
	}
	return nil
}

// denied gives a refusal by policies the code that S3 has for it.
func denied(err error) error {
	var e *model.Error
	if errors.As(err, &e) && e.Code == "AccessDeniedException" {
		return &model.Error{Code: "AccessDenied", Message: e.Message, Encoded: e.Encoded}
	}
	return err
}
