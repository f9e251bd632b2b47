//go:build e2e

package e2e_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// TestNodeDiskFull fills a node's disk: what runs goes on, what is asked for waits, also across a kill of the agent, and happens when
// there is space again.
func TestNodeDiskFull(t *testing.T) {
	t.Parallel()
	e := NewServer(t)
	e.CreateCluster("default")
	disk := e.mountDisk("n", 300)
	e.StartAgent("--cleanup-after", "1ms")
	e.Image = e.BuildImage("probe:1")
	c := e.container("c", "onterm=bye", "tick=100ms")
	c.Memory = aws.Int32(8)
	def := e.Define("full", ecs.RegisterTaskDefinitionInput{}, c)
	ended, going := e.RunTask(def), e.RunTask(def)
	e.AwaitAll([]string{ended, going}, "RUNNING")

	e.fill(filepath.Join(disk, "filler"))
	waits := e.RunTask(def)
	e.StopTask(ended)
	e.quiet(going, waits)
	e.Agent.Kill9()
	e.Agent.again()
	e.AwaitNodes(1)
	e.quiet(going, waits)

	must(t, os.Remove(filepath.Join(disk, "filler")))
	began := time.Now()
	e.AwaitStatus(waits, "RUNNING")
	e.AwaitStatus(ended, "STOPPED")
	t.Logf("%s after there is space again all that was asked for has happened", ms(time.Since(began)))
	e.StopTask(going)
	e.StopTask(waits)
	e.AwaitAll([]string{going, waits}, "STOPPED")
	e.AwaitNothingOfTasks()
}

// fill leaves no byte of the disk that the file is on.
func (e *Env) fill(name string) {
	e.t.Helper()
	f, err := os.Create(name)
	must(e.t, err)
	defer f.Close()
	block := make([]byte, 1<<20)
	for refused := 0; refused < 3; { // what a file was given in advance becomes free when it is written
		refused++
		for size := len(block); size > 0; {
			n, err := f.Write(block[:size])
			if n > 0 {
				refused = 0
			}
			if err != nil {
				size /= 4
			}
		}
		must(e.t, f.Sync())
	}
}

// quiet looks for some seconds whether one task goes on and the other waits.
func (e *Env) quiet(going, waits string) {
	e.t.Helper()
	for range 30 {
		<-time.After(100 * time.Millisecond)
		ctx, cancel := within(patience)
		both, err := e.Describe(ctx, going, waits)
		cancel()
		must(e.t, err)
		for i := range both {
			switch last := aws.ToString(both[i].LastStatus); {
			case *both[i].TaskArn == going && last != "RUNNING", *both[i].TaskArn == waits && last != "PENDING" && last != "PROVISIONING":
				e.t.Fatalf("on a full disk: %s", story(&both[i]))
			}
		}
		if !e.Agent.alive() {
			e.t.Fatalf("the agent has ended:\n%s", tail(e.Agent.log, 20))
		}
	}
}
