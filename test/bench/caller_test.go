//go:build bench || e2e

package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// caller makes one call again and again over one connection, each signed anew by the SDK's signer. It has no pool and no
// goroutines of its own, as load generators have none: it shares the processors with what it measures.
type caller struct {
	conn    net.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	signer  *v4.Signer
	request *http.Request
	body    []byte
	hash    string
}

func newCaller(endpoint, operation string, body []byte) (*caller, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(endpoint, "http://"))
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest("POST", endpoint+"/", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113."+operation)
	request.ContentLength = int64(len(body))
	sum := sha256.Sum256(body)
	return &caller{
		conn: conn, r: bufio.NewReader(conn), w: bufio.NewWriter(conn), signer: v4.NewSigner(),
		request: request, body: body, hash: hex.EncodeToString(sum[:]),
	}, nil
}

// call returns once the whole answer is read; an answer that is not 200 is an error.
func (c *caller) call(ctx context.Context) error {
	key := aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}
	if err := c.signer.SignHTTP(ctx, key, c.request, c.hash, "ecs", region, time.Now()); err != nil {
		return err
	}
	c.request.Body = io.NopCloser(bytes.NewReader(c.body))
	if err := c.request.Write(c.w); err != nil {
		return err
	}
	if err := c.w.Flush(); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.r, c.request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
