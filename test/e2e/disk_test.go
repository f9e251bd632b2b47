//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// TestDiskFull fills the disk under the server's state while tasks are being run: writes are refused with a reason, reads go
// on, nothing acknowledged is lost, and with space again writes are taken without a restart; also after kill -9.
func TestDiskFull(t *testing.T) {
	e := newEnv(t)
	e.secret = secret
	disk := e.mountDisk("disk", 700)
	e.Server = start(t, e.Dir, "server", rootKey(), "server", "--listen", freeAddress(t), "--data-dir", filepath.Join(disk, "server"))
	t.Cleanup(func() { e.end(e.Server, 15*time.Second) })
	e.connect(e.Server.AwaitReady(30 * time.Second))
	e.CreateCluster("default")
	e.StartAgent() // on another disk
	e.Image = e.BuildImage("probe:1")
	c := e.container("c", "onterm=bye", "wait")
	c.Memory = aws.Int32(8)
	def := e.Define("disk", ecs.RegisterTaskDefinitionInput{}, c)

	filler := filepath.Join(disk, "filler")
	acked, refusal := e.runUntilRefused(def, filler)
	t.Logf("%d tasks acknowledged, then %v", len(acked), refusal)
	if _, ok := errors.AsType[smithy.APIError](refusal); !ok {
		t.Errorf("the refusal is no API error: %v", refusal)
	}
	e.allThere(acked, "while the disk is full")
	for range 3 { // it stays refused, and answers at once
		began := time.Now()
		_, err := e.tryRun(def)
		if err == nil {
			t.Error("a write was taken on a full disk")
		}
		t.Logf("refused again after %s", ms(time.Since(began)))
	}
	must(t, os.Remove(filler))
	took := e.awaitWrites(def)
	t.Logf("writes are taken %s after the disk has space", ms(took))
	e.allThere(acked, "after the disk has space")

	more, refusal := e.runUntilRefused(def, filler)
	acked = append(acked, more...)
	t.Logf("%d more tasks acknowledged, then %v; kill -9", len(more), refusal)
	e.Server.Kill9()
	must(t, os.Remove(filler))
	began := time.Now()
	e.Server.again()
	e.Server.AwaitReady(30 * time.Second)
	t.Logf("ready %s after the restart", ms(time.Since(began)))
	e.allThere(acked, "after kill -9 on a full disk")
	e.awaitWrites(def)
	e.AwaitAll(acked, "RUNNING")
}

// mountDisk makes a disk of so many MiB at a name in the environment's directory.
func (e *Env) mountDisk(name string, mib int) string {
	e.t.Helper()
	image, dir := filepath.Join(e.Dir, name+".img"), filepath.Join(e.Dir, name)
	must(e.t, os.Mkdir(dir, 0o755))
	for _, cmd := range [][]string{
		{"truncate", "-s", fmt.Sprintf("%dM", mib), image}, {"mkfs.ext4", "-q", "-F", image}, {"mount", "-o", "loop", image, dir},
	} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			e.t.Skipf("no loop device here: %s: %v %s", cmd, err, out)
		}
	}
	e.disks = append(e.disks, dir)
	e.t.Cleanup(func() {
		poll(e.t, 10*time.Second, func(context.Context) error { // the node's log keeper stays for a moment
			if err := syscall.Unmount(dir, 0); err != nil {
				return errAgain(err.Error())
			}
			return nil
		})
	})
	return dir
}

func (e *Env) tryRun(def string) ([]string, error) {
	ctx, cancel := within(10 * time.Second)
	defer cancel()
	out, err := e.ECS.RunTask(ctx, &ecs.RunTaskInput{TaskDefinition: &def, Count: aws.Int32(1)})
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, task := range out.Tasks {
		arns = append(arns, *task.TaskArn)
	}
	if len(out.Failures) > 0 {
		return arns, fmt.Errorf("failures: %q", failures(out.Failures))
	}
	return arns, nil
}

// runUntilRefused runs tasks while a file takes the disk, 16 MiB at a time.
func (e *Env) runUntilRefused(def, filler string) (acked []string, refusal error) {
	e.t.Helper()
	f, err := os.Create(filler)
	must(e.t, err)
	defer f.Close()
	block := slices.Repeat([]byte("full"), 4<<20)
	poll(e.t, patience, func(context.Context) error {
		_, _ = f.Write(block) // in the end it is refused, too
		arns, err := e.tryRun(def)
		acked = append(acked, arns...)
		if refusal = err; err == nil {
			return errAgain("writes are still taken")
		}
		return nil
	})
	_, _ = f.Write(block)
	return acked, refusal
}

func (e *Env) awaitWrites(def string) time.Duration {
	e.t.Helper()
	return poll(e.t, 20*time.Second, func(context.Context) error {
		if _, err := e.tryRun(def); err != nil {
			return errAgain(err.Error())
		}
		return nil
	})
}

// allThere fails the test for every task that was acknowledged and is not known.
func (e *Env) allThere(arns []string, when string) {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	all, err := e.Describe(ctx, arns...)
	if err != nil || len(all) != len(arns) {
		e.t.Errorf("%s %d of %d tasks are described: %v", when, len(all), len(arns), err)
	}
	if bad := slices.IndexFunc(all, func(t types.Task) bool { return strings.Contains(*t.LastStatus, "STOPPED") }); bad >= 0 {
		e.t.Errorf("%s: %s", when, story(&all[bad]))
	}
}
