package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// maxAnswer bounds how much of an answer is read.
const maxAnswer = 64 << 20

// Config says whom to call and as whom.
type Config struct {
	Endpoint    string // http://127.0.0.1:4566, or several, comma separated: those of a control plane's members
	AccessKeyID string
	Secret      string
	Token       string // of temporary credentials, or ""
	Region      string
	// Patience is how long a call is retried before its last error is returned; 0 means 15 seconds, which outlasts a
	// change of leader. A negative value means no retries.
	Patience time.Duration
	TLS      *tls.Config
	// Transport replaces the client's own, for tests.
	Transport http.RoundTripper
}

// Client is a signed caller of one control plane. It is safe for concurrent use.
type Client struct {
	endpoints   *endpoints
	credentials aws.Credentials
	region      string
	patience    time.Duration
	http        *http.Client
	signer      *v4.Signer
}

// New returns a client; Close frees its idle connections.
func New(c Config) (*Client, error) {
	us, err := parseEndpoints(c.Endpoint)
	if err != nil {
		return nil, err
	}
	if c.Patience == 0 {
		c.Patience = 15 * time.Second
	}
	if c.Transport == nil {
		c.Transport = newTransport(c.TLS)
	}
	return &Client{
		endpoints:   &endpoints{configured: us, all: us},
		credentials: aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.Secret, SessionToken: c.Token},
		region:      c.Region,
		patience:    c.Patience,
		http: &http.Client{Transport: c.Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a signature is good for one URL
		}},
		signer: v4.NewSigner(),
	}, nil
}

// answerLimit is how long a member may take to begin its answer: one whose machine died under an open connection would
// hold the call for a quarter of an hour. A change of leader takes ten seconds at most.
const answerLimit = 30 * time.Second

// newTransport keeps many connections to the one host that we speak to; the default keeps two.
func newTransport(t *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       t,
		TLSHandshakeTimeout:   5 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          64,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		ResponseHeaderTimeout: answerLimit,
		ExpectContinueTimeout: time.Second,
	}
}

// Once returns a client of the same endpoints and connections that tries each call once: for one who has to know whether a call
// that failed was carried out all the same. Closing either closes both.
func (c *Client) Once() *Client {
	once := *c
	once.patience = -1
	return &once
}

// As is a client that calls with other credentials; everything else they share. Token is that of temporary ones, or "".
func (c *Client) As(accessKeyID, secret, token string) *Client {
	other := *c
	other.credentials = aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secret, SessionToken: token}
	return &other
}

// Close frees idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Region is the Region that requests are signed for.
func (c *Client) Region() string { return c.region }

// Call calls an AWS operation, Call(ctx, "ecs", "ListTasks", in, out). in may be nil (no parameters), and so may out
// (no interest in the answer). A refusal is a *model.Error.
func (c *Client) Call(ctx context.Context, service, op string, in, out any) error {
	prefix, version, ok := target(service)
	if !ok {
		return fmt.Errorf("call %s %s: the service does not speak AWS JSON", service, op)
	}
	if in == nil {
		in = struct{}{}
	}
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode %s: %w", op, err)
	}
	header := http.Header{
		"Content-Type": {"application/x-amz-json-" + version},
		"X-Amz-Target": {prefix + "." + op},
	}
	if err := c.retry(ctx, call{service, http.MethodPost, "/", header, body}, out); err != nil {
		return fmt.Errorf("call %s %s: %w", service, op, err)
	}
	return nil
}

// Do calls one of Roadstead's own paths, Do(ctx, "GET", "/roadstead/v1/explain/task?id=1", nil, out), with a JSON body
// unless in is nil. out may be an io.Writer, which then gets the answer as it comes. A refusal is a *model.Error.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	header := http.Header{}
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode %s %s: %w", method, path, err)
		}
		header.Set("Content-Type", "application/json")
	}
	if err := c.retry(ctx, call{"roadstead", method, path, header, body}, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// SignedRequest returns a signed GET for somebody else to send: websocket.Dial(ctx, r.URL.String(), r.Header). The URL
// is absolute, of any scheme (ws, wss, http, https), or a path at the client's endpoint. The signature is good for
// five minutes.
func (c *Client) SignedRequest(ctx context.Context, service, rawURL string) (*http.Request, error) {
	u, err := c.endpoints.current().Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", rawURL, err)
	}
	switch u.Scheme { // websocket.Dial takes these just as well
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	}
	return c.sign(ctx, u.String(), call{service: service, method: http.MethodGet, header: http.Header{}})
}

// call is one request to send, perhaps several times.
type call struct {
	service, method string
	path            string
	header          http.Header
	body            []byte
}

func (c *Client) sign(ctx context.Context, u string, k call) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, k.method, u, bytes.NewReader(k.body))
	if err != nil {
		return nil, err
	}
	r.Header = k.header.Clone()
	r.Header.Set("User-Agent", "roadstead")
	sum := sha256.Sum256(k.body)
	hash := hex.EncodeToString(sum[:])
	var options []func(*v4.SignerOptions)
	if k.service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", hash)
		options = append(options, signedForS3)
	}
	err = c.signer.SignHTTP(ctx, c.credentials, r, hash, k.service, c.region, time.Now(), options...)
	return r, err
}

// send sends the call once and decodes its answer. After a failure of the member the next call goes to another.
func (c *Client) send(ctx context.Context, k call, out any) error {
	member := c.endpoints.current()
	r, err := c.sign(ctx, member.String()+k.path, k)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			c.endpoints.failed(member)
		}
		return err
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		c.endpoints.failed(member)
	}
	defer resp.Body.Close()
	if w, ok := out.(io.Writer); ok && resp.StatusCode < 300 {
		_, err := io.Copy(w, resp.Body)
		return err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode >= 300 {
		return decodeError(resp, body)
	}
	if raw, ok := out.(*object); ok {
		*raw = body
		return nil
	}
	if out == nil || len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

// target returns the X-Amz-Target prefix and the JSON version of a service.
func target(service string) (prefix, version string, ok bool) {
	switch service {
	case "ecs":
		return "AmazonEC2ContainerServiceV20141113", "1.1", true
	case "ecr":
		return "AmazonEC2ContainerRegistry_V20150921", "1.1", true
	case "logs":
		return "Logs_20140328", "1.1", true
	case "ssm":
		return "AmazonSSM", "1.1", true
	case "secretsmanager":
		return "secretsmanager", "1.1", true
	case "sts": // AWS speaks its query protocol only; our control plane speaks JSON for all services
		return "AWSSecurityTokenServiceV20110615", "1.1", true
	case "kms":
		return "TrentService", "1.1", true
	case "events":
		return "AWSEvents", "1.1", true
	case "servicediscovery":
		return "Route53AutoNaming_v20170314", "1.1", true
	case "application-autoscaling":
		return "AnyScaleFrontendService", "1.1", true
	case "codedeploy":
		return "CodeDeploy_20141006", "1.1", true
	case "monitoring":
		return "GraniteServiceVersion20100801", "1.0", true
	}
	return "", "", false
}
