//go:build e2e

package e2e_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// outage stands between nodes and a registry. While it is away it takes connections and drops them, and counts them.
type outage struct {
	net.Listener
	to    string
	away  atomic.Bool
	tries atomic.Int32
	wg    sync.WaitGroup
	over  chan struct{} // closed at the end: clients keep connections for a while
}

// newOutage listens before the server, as a registry of somebody else.
func (e *Env) newOutage() *outage {
	e.t.Helper()
	l, err := net.Listen("tcp", freeAddress(e.t))
	must(e.t, err)
	u, err := url.Parse(e.URL)
	must(e.t, err)
	o := &outage{Listener: l, to: u.Host, over: make(chan struct{})}
	o.wg.Go(o.serve)
	e.t.Cleanup(func() { o.Close(); close(o.over); o.wg.Wait() })
	return o
}

func (o *outage) serve() {
	for {
		c, err := o.Accept()
		if err != nil {
			return
		}
		o.tries.Add(1)
		if o.away.Load() {
			c.Close()
			continue
		}
		o.wg.Go(func() { o.pass(c) })
	}
}

func (o *outage) pass(c net.Conn) {
	defer c.Close()
	to, err := net.Dial("tcp", o.to)
	if err != nil {
		return
	}
	defer to.Close()
	half := make(chan struct{}, 2)
	o.wg.Go(func() { _, _ = io.Copy(to, c); half <- struct{}{} })
	o.wg.Go(func() { _, _ = io.Copy(c, to); half <- struct{}{} })
	select {
	case <-half:
	case <-o.over:
	}
}

// registryLogin is the ARN of a secret with a login of our registry, as a private registry's.
func (e *Env) registryLogin() string {
	e.t.Helper()
	who := credentials.NewStaticCredentialsProvider(key, e.secret, "")
	login, err := ecr.New(ecr.Options{Region: region, BaseEndpoint: &e.URL, Credentials: who}).GetAuthorizationToken(e.t.Context(), nil)
	must(e.t, err)
	plain, err := base64.StdEncoding.DecodeString(*login.AuthorizationData[0].AuthorizationToken)
	must(e.t, err)
	text := fmt.Sprintf(`{"username":"AWS","password":%q}`, strings.TrimPrefix(string(plain), "AWS:"))
	out, err := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: &e.URL, Credentials: who}).CreateSecret(e.t.Context(),
		&secretsmanager.CreateSecretInput{Name: aws.String("outage"), SecretString: &text})
	must(e.t, err)
	return *out.ARN
}

// TestRegistryAway: a task whose image's registry does not answer is tried again for a while. If the registry comes back, the task
// runs; if not, it stops and says why.
func TestRegistryAway(t *testing.T) {
	t.Parallel()
	e := NewPair(t)
	o, secret := e.newOutage(), e.registryLogin()
	role := e.role("logs-in", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`)
	_, image, _ := strings.Cut(e.BuildImage("away:1"), "/")
	image = o.Addr().String() + "/" + image
	run := func() string {
		c := e.container("c", "exit=7")
		c.Image, c.RepositoryCredentials = &image, &types.RepositoryCredentials{CredentialsParameter: &secret}
		return e.RunTask(e.Define("away", ecs.RegisterTaskDefinitionInput{ExecutionRoleArn: &role}, c))
	}

	o.away.Store(true)
	lost := e.AwaitStatus(run(), "STOPPED")
	reason := aws.ToString(lost.Containers[0].Reason)
	if lost.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.HasPrefix(reason, "CannotPullContainerError: ") {
		t.Errorf("the registry stays away: %s", story(&lost))
	}
	if n := o.tries.Load(); n < 5 {
		t.Errorf("it was tried %d times", n)
	}

	o.tries.Store(0)
	arn := run()
	poll(t, patience, func(ctx context.Context) error {
		if n := o.tries.Load(); n < 2 {
			return errAgain(fmt.Sprintf("it was tried %d times", n))
		}
		return nil
	})
	o.away.Store(false)
	back := e.AwaitStatus(arn, "STOPPED")
	if code := back.Containers[0].ExitCode; code == nil || *code != 7 {
		t.Errorf("the registry comes back: %s", story(&back))
	}
}

// TestReplicatedImageRuns: what is pushed in one Region is run from another by the same digest, within seconds (MISSION row 94).
func TestReplicatedImageRuns(t *testing.T) {
	t.Parallel()
	e := NewServer(t, "--ecr-regions", "eu-west-1")
	e.CreateCluster("default")
	e.StartAgent()
	own := ecr.New(ecr.Options{Region: region, BaseEndpoint: &e.URL, HTTPClient: e.http, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	_, err := own.PutReplicationConfiguration(t.Context(), &ecr.PutReplicationConfigurationInput{ReplicationConfiguration: &ecrtypes.ReplicationConfiguration{
		Rules: []ecrtypes.ReplicationRule{{Destinations: []ecrtypes.ReplicationDestination{{Region: aws.String("eu-west-1"), RegistryId: aws.String("000000000000")}}}}}})
	must(t, err)
	e.BuildImage("sailed:1")
	id := &ecrtypes.ImageIdentifier{ImageTag: aws.String("1")}
	took := poll(t, patience, func(ctx context.Context) error {
		out, err := own.DescribeImageReplicationStatus(ctx, &ecr.DescribeImageReplicationStatusInput{RepositoryName: aws.String("sailed"), ImageId: id})
		if err != nil {
			return err
		}
		if s := out.ReplicationStatuses; len(s) != 1 || s[0].Status != ecrtypes.ReplicationStatusComplete {
			return errAgain(fmt.Sprintf("replication: %+v", s))
		}
		return nil
	})
	t.Logf("replicated %s after the push", ms(took))
	out, err := own.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String("sailed"), ImageIds: []ecrtypes.ImageIdentifier{*id}})
	must(t, err)
	digest := aws.ToString(out.ImageDetails[0].ImageDigest)
	c := e.container("c", "exit=7")
	c.Image = aws.String("000000000000.dkr.ecr.eu-west-1.amazonaws.com/sailed:1")
	task := e.AwaitStatus(e.RunTask(e.Define("sailed", ecs.RegisterTaskDefinitionInput{}, c)), "STOPPED")
	if code := task.Containers[0].ExitCode; code == nil || *code != 7 || aws.ToString(task.Containers[0].ImageDigest) != digest {
		t.Errorf("from the other Region: %s, image %s, want %s", story(&task), aws.ToString(task.Containers[0].ImageDigest), digest)
	}
	for blob, n := range e.links() {
		if n > 1 {
			t.Errorf("blob %s lies on the disk %d times", blob, n)
		}
	}
}

// links counts the files of each blob that are not the same file.
func (e *Env) links() map[string]int {
	e.t.Helper()
	type file struct{ device, inode uint64 }
	files := map[string]map[file]bool{}
	err := filepath.WalkDir(filepath.Join(e.Dir, "server", "registry"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "data" || !strings.Contains(path, "/v2/blobs/") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		digest := filepath.Base(filepath.Dir(path))
		if files[digest] == nil {
			files[digest] = map[file]bool{}
		}
		s, _ := info.Sys().(*syscall.Stat_t)
		files[digest][file{s.Dev, s.Ino}] = true
		return nil
	})
	must(e.t, err)
	count := map[string]int{}
	for digest, f := range files {
		count[digest] = len(f)
	}
	return count
}
