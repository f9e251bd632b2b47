package server_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/steady"
)

// A live tail begun at a member that does not lead is the leader's, event by event. The SDK calls it under a host of its own.
func TestLiveTailThroughAnotherMember(t *testing.T) {
	t.Parallel()
	store := state.NewMemory()
	first, _ := open(t, server.Config{Backend: store.Member()})
	second, _ := open(t, server.Config{Backend: store.Member()})
	if !first.DB().Leading() {
		t.Fatal("the first member does not lead")
	}
	var hosts []string
	tr := &http.Transport{DialContext: func(ctx context.Context, _, host string) (net.Conn, error) {
		hosts = append(hosts, host)
		return new(net.Dialer).DialContext(ctx, "tcp", second.Addr())
	}}
	t.Cleanup(tr.CloseIdleConnections)
	c := cloudwatchlogs.New(cloudwatchlogs.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://roadstead.example"),
		HTTPClient: &http.Client{Transport: steady.Transport{Base: tr}}, Credentials: credentials.NewStaticCredentialsProvider("root", "secret", "")})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("g")})
	must(err)
	_, err = c.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")})
	must(err)
	out, err := c.StartLiveTail(t.Context(), &cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{"g"}})
	must(err)
	defer out.GetStream().Close()
	for e := range out.GetStream().Events() {
		if _, ok := e.(*types.StartLiveTailResponseStreamMemberSessionStart); ok {
			_, err := c.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"),
				LogEvents: []types.InputLogEvent{{Message: aws.String("hello"), Timestamp: aws.Int64(time.Now().UnixMilli())}}})
			must(err)
			continue
		}
		u, ok := e.(*types.StartLiveTailResponseStreamMemberSessionUpdate)
		if !ok {
			t.Fatalf("got %+v", e)
		}
		if r := u.Value.SessionResults; len(r) == 1 && *r[0].Message == "hello" {
			break
		}
	}
	if all := strings.Join(hosts, " "); !strings.Contains(all, "stream-roadstead.example:80") {
		t.Errorf("called as %s", all)
	}
}
