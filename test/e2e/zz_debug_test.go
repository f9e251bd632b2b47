//go:build e2e

package e2e_test

import (
	"context"
	"net"
	"net/http"
	"runtime/debug"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

type spy struct {
	net.Conn
	t *testing.T
}

func (s *spy) Close() error {
	s.t.Logf("closed by\n%s", debug.Stack())
	return s.Conn.Close()
}

func TestZZ(t *testing.T) {
	e := NewPair(t, "--cleanup-after", "1ms")
	c := e.container("c", "onterm=bye", "wait")
	def := e.Define("zz", ecs.RegisterTaskDefinitionInput{}, c)
	arns := e.RunMany(def, 100, 10)
	plain := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, n, a string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, n, a)
		return &spy{c, t}, err
	}}}
	for i, h := range []aws.HTTPClient{nil, plain} {
		cl := ecs.New(ecs.Options{Region: region, BaseEndpoint: aws.String(e.URL), Retryer: aws.NopRetryer{}, HTTPClient: h,
			Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
		bad := 0
		for range 100 {
			_, err := cl.DescribeTasks(context.Background(), &ecs.DescribeTasksInput{Tasks: arns})
			if err != nil {
				bad++
				t.Log(err)
			}
		}
		t.Logf("client %d: %d of 100 failed", i, bad)
	}
	t.Log("over")
}
