//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// member is one of three servers.
type member struct {
	*process
	url string
	ecs *ecs.Client
}

// TestMembers runs a control plane of three members, kills the one that leads while tasks are being run, and brings it back.
func TestMembers(t *testing.T) {
	e := newEnv(t)
	e.secret = secret
	members := e.startMembers()
	leader, follower := e.roles(members)
	e.connect(follower.url)
	e.CreateCluster("default")
	e.StartAgent() // it knows the follower's URL only
	e.Image = e.BuildImage("probe:1")
	c := e.container("c", "onterm=bye", "wait")
	c.Memory = aws.Int32(8)
	def := e.Define("members", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeNone}, c)
	first := e.RunTask(def)
	e.AwaitStatus(first, "RUNNING")
	for _, m := range members {
		e.knows(m, first)
	}
	late := e.container("c", "onterm=bye", "wait")
	late.Memory, late.Image = aws.Int32(8), aws.String(e.BuildImage("probe-late:1")) // pulled by nobody while its leader lives
	lateDef := e.Define("late", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeNone}, late)

	began := time.Now()
	acked, pause := e.runOn(members, def, 40, leader.Kill9)
	t.Logf("the leader was killed; the next task was accepted %s later; %d of 40 acknowledged after %s", ms(pause), len(acked), ms(time.Since(began)))
	rest := e.List(types.DesiredStatusRunning)
	if len(rest) != 41 {
		t.Errorf("%d tasks are wanted, 41 were asked for", len(rest))
	}
	took := e.AwaitNodes(1)
	t.Logf("the agent is connected %s after that", ms(took))
	t.Logf("%v", e.settle(append(acked, first)))
	arn := e.RunTask(lateDef)
	e.AwaitStatus(arn, "RUNNING")
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")

	began = time.Now()
	leader.again()
	leader.AwaitReady(patience)
	e.knows(leader, acked...)
	t.Logf("the killed member answers again %s after its restart", ms(time.Since(began)))
	each(rest, 8, e.StopTask)
	e.AwaitAll(rest, "STOPPED")

	// The only member that the agent was told of dies and stays away: it has learned of the others.
	follower.Kill9()
	e.connect(leader.url)
	began = time.Now()
	acked, _ = e.runOn(slices.DeleteFunc(slices.Clone(members), func(m *member) bool { return m == follower }), def, 4, func() {})
	e.AwaitAll(acked, "RUNNING")
	t.Logf("4 tasks run %s after the agent's member was killed", ms(time.Since(began)))
	each(acked, 4, e.StopTask)
	e.AwaitAll(acked, "STOPPED")
}

func (e *Env) startMembers() []*member {
	e.t.Helper()
	var all []*member
	var cluster []string
	for _, name := range []string{"a", "b", "c"} {
		peer := "http://" + freeAddress(e.t)
		cluster = append(cluster, name+"="+peer)
		all = append(all, &member{url: "http://" + freeAddress(e.t)})
	}
	for i, m := range all {
		name, peer, _ := strings.Cut(cluster[i], "=")
		m.process = start(e.t, e.Dir, name, rootKey(), "server", "--listen", strings.TrimPrefix(m.url, "http://"),
			"--data-dir", filepath.Join(e.Dir, "server-"+name), "--member", name, "--peer-url", peer,
			"--initial-cluster", strings.Join(cluster, ","))
		m.ecs = e.Client(m.url)
	}
	e.t.Cleanup(func() { // all at once: the last ones would wait for a quorum
		each(all, len(all), func(m *member) {
			if m.alive() && m.Term(15*time.Second) != 0 {
				e.t.Errorf("%s ended with %d", m.name, m.cmd.ProcessState.ExitCode())
			}
		})
	})
	for _, m := range all {
		m.AwaitReady(patience)
	}
	return all
}

// roles finds the member that leads and one that does not.
func (e *Env) roles(all []*member) (leader, follower *member) {
	e.t.Helper()
	poll(e.t, patience, func(ctx context.Context) error {
		for _, m := range all {
			text, err := page(ctx, m.url+"/healthz")
			if err != nil {
				return err
			}
			var h struct{ Leading bool }
			if err := json.Unmarshal([]byte(text), &h); err != nil {
				return err
			}
			if h.Leading {
				leader = m
			} else {
				follower = m
			}
		}
		if leader == nil {
			return errAgain("nobody leads")
		}
		return nil
	})
	return leader, follower
}

// knows fails the test unless the member describes all these tasks.
func (e *Env) knows(m *member, arns ...string) {
	e.t.Helper()
	there := *e
	there.ECS = m.ecs
	ctx, cancel := within(patience)
	defer cancel()
	if all, err := there.Describe(ctx, arns...); err != nil || len(all) != len(arns) {
		e.t.Errorf("%s knows %d of %d tasks: %v", m.name, len(all), len(arns), err)
	}
}

// runOn runs n tasks, one a call and by turns on all members, and kills in the middle. A call that fails is repeated at the
// next member with its clientToken. It returns the tasks and how long after the kill the first one was accepted.
func (e *Env) runOn(members []*member, def string, n int, kill func()) (acked []string, pause time.Duration) {
	e.t.Helper()
	var mu sync.Mutex
	var once sync.Once
	var killed time.Time
	each(make([]int, n), 4, func(int) {
		mu.Lock()
		turn, half := len(acked), len(acked) >= n/2
		mu.Unlock()
		token := aws.String(fmt.Sprintf("members-%d", time.Now().UnixNano()))
		if half {
			once.Do(func() {
				kill()
				mu.Lock()
				defer mu.Unlock()
				killed = time.Now()
			})
		}
		poll(e.t, patience, func(ctx context.Context) error {
			turn++
			ctx, cancel := context.WithTimeout(ctx, 12*time.Second)
			defer cancel()
			out, err := members[turn%len(members)].ecs.RunTask(ctx, &ecs.RunTaskInput{TaskDefinition: &def, ClientToken: token})
			if err != nil {
				return errAgain(err.Error())
			}
			if len(out.Tasks) != 1 {
				return errAgain(fmt.Sprint(failures(out.Failures)))
			}
			mu.Lock()
			defer mu.Unlock()
			if acked = append(acked, *out.Tasks[0].TaskArn); !killed.IsZero() && pause == 0 {
				pause = time.Since(killed)
			}
			return nil
		})
	})
	return acked, pause
}
