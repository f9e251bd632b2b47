//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// logsPolicy lets CloudWatch Logs use a key, and the account everything.
const logsPolicy = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"},
	{"Effect":"Allow","Principal":{"Service":"logs.` + region + `.amazonaws.com"},"Action":["kms:Encrypt*","kms:Decrypt*","kms:ReEncrypt*","kms:GenerateDataKey*","kms:Describe*"],"Resource":"*"}]}`

// TestLogsThroughMembers kills the member that leads while lines come in through all three. The next leader has each line that was
// acknowledged, once; so has the killed one, when it leads again. One group's lines are encrypted.
func TestLogsThroughMembers(t *testing.T) {
	e := newEnv(t)
	e.secret = secret
	members := e.startMembers()
	leader, follower := e.roles(members)
	e.connect(follower.url)
	keys := kms.New(kms.Options{Region: region, BaseEndpoint: &follower.url, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, ""), HTTPClient: e.http})
	made, err := keys.CreateKey(t.Context(), &kms.CreateKeyInput{Policy: aws.String(logsPolicy)})
	must(t, err)
	groups := []string{"plain", "encrypted"}
	for i, group := range groups {
		in := &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group}
		if i == 1 {
			in.KmsKeyId = made.KeyMetadata.Arn
		}
		_, err := e.logs().CreateLogGroup(t.Context(), in)
		must(t, err)
		_, err = e.logs().CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: aws.String("s")})
		must(t, err)
	}
	acked := map[string][]string{}
	put := func(n int, kill func()) {
		t.Helper()
		began := time.Now()
		for _, group := range groups {
			acked[group] = append(acked[group], e.putLines(members, group, n, kill)...)
		}
		t.Logf("%d lines were acknowledged in %s", n*len(groups), ms(time.Since(began)))
	}
	put(100, func() {})
	killed := false
	put(100, func() {
		if !killed {
			killed = true
			leader.Kill9()
		}
	})
	next, _ := e.roles(slices.DeleteFunc(slices.Clone(members), func(m *member) bool { return m == leader }))
	e.hasLines(next, acked)
	leader.again()
	leader.AwaitReady(patience)
	put(20, func() {})
	for i := 0; ; i++ { // until the killed one leads
		now, _ := e.roles(members)
		e.hasLines(now, acked)
		if now == leader {
			break
		}
		if i == 10 {
			t.Fatal("the killed member does not lead again")
		}
		now.Kill9()
		e.roles(slices.DeleteFunc(slices.Clone(members), func(m *member) bool { return m == now }))
		now.again()
		now.AwaitReady(patience)
	}
	put(20, func() {})
	e.hasLines(leader, acked)
}

// putLines puts n lines into a group, by turns through all members, and kills in the middle. It returns those that were acknowledged. One
// that was not is put again as another.
func (e *Env) putLines(members []*member, group string, n int, kill func()) (acked []string) {
	e.t.Helper()
	var mu sync.Mutex
	each(make([]int, n), 4, func(int) {
		mu.Lock()
		turn := len(acked)
		if turn == n/2 {
			kill()
		}
		mu.Unlock()
		poll(e.t, patience, func(ctx context.Context) error {
			turn++
			line := fmt.Sprintf("line %d", time.Now().UnixNano())
			ctx, cancel := context.WithTimeout(ctx, 12*time.Second)
			defer cancel()
			there := *e
			there.URL = members[turn%len(members)].url
			_, err := there.logs().PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: aws.String("s"),
				LogEvents: []types.InputLogEvent{{Message: &line, Timestamp: aws.Int64(time.Now().UnixMilli())}}})
			if err != nil {
				return errAgain(err.Error())
			}
			mu.Lock()
			defer mu.Unlock()
			acked = append(acked, line)
			return nil
		})
	})
	return acked
}

// hasLines fails the test unless a member answers with all lines, none of them twice.
func (e *Env) hasLines(m *member, acked map[string][]string) {
	e.t.Helper()
	there := *e
	there.URL = m.url
	for group, want := range acked {
		seen := map[string]int{}
		poll(e.t, patience, func(ctx context.Context) error {
			clear(seen)
			for p := cloudwatchlogs.NewFilterLogEventsPaginator(there.logs(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group}); p.HasMorePages(); {
				out, err := p.NextPage(ctx)
				if err != nil {
					return errAgain(err.Error())
				}
				for _, l := range out.Events {
					seen[*l.Message]++
				}
			}
			return nil
		})
		for _, line := range want {
			if seen[line] != 1 {
				e.t.Errorf("%s: group %s: %q is there %d times; %d lines, %d were acknowledged", m.name, group, line, seen[line], len(seen), len(want))
			}
		}
		for line, n := range seen {
			if n > 1 {
				e.t.Errorf("%s: group %s: %q is there %d times", m.name, group, line, n)
			}
		}
	}
}
