package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/server"
)

// samplePatience bounds how long the sample may take until it answers.
const samplePatience = 60 * time.Second

// greet says how to use the server that is ready, and runs the sample first if there is one.
func greet(ctx context.Context, cmd *cobra.Command, cfg *devConfig, s *server.Server) error {
	out := cmd.OutOrStdout()
	page := ""
	if cfg.sample != "" {
		var err error
		if page, err = runSample(ctx, cfg, s); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("run the sample: %w", err)
		}
	}
	fmt.Fprintf(out, `
Roadstead is at %s. In another terminal:

  export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_DEFAULT_REGION=%s
`, s.URL(), devKey, devSecret, cfg.server.Region)
	if page != "" {
		fmt.Fprintf(out, "\nA sample task answers at %s\n", page)
	}
	fmt.Fprintf(out, `
Try:

  aws --endpoint-url %[1]s ecs list-tasks
  aws --endpoint-url %[1]s ecs describe-clusters --include STATISTICS
  aws --endpoint-url %[1]s ecs run-task --task-definition sample
`, s.URL())
	return nil
}

// runSample does what a user would: it pushes an image, registers a task definition, runs it and waits until it answers.
func runSample(ctx context.Context, cfg *devConfig, s *server.Server) (url string, err error) {
	ctx, cancel := context.WithTimeout(ctx, samplePatience)
	defer cancel()
	c, err := client.New(client.Config{Endpoint: s.URL(), AccessKeyID: devKey, Secret: devSecret, Region: cfg.server.Region})
	if err != nil {
		return "", err
	}
	defer c.Close()
	archive := filepath.Join(cfg.server.DataDir, "sample.tar")
	defer os.Remove(archive)
	if err := registry.WriteBinaryArchive(cfg.sample, archive); err != nil {
		return "", err
	}
	image, err := pushImage(ctx, c, archive, "sample:latest")
	if err != nil {
		return "", err
	}
	definition := map[string]any{
		"family": "sample", "containerDefinitions": []map[string]any{{
			"name": "web", "image": image, "memory": 64, "cpu": 64,
			"portMappings": []map[string]any{{"containerPort": 8080}},
		}},
	}
	if err := c.Call(ctx, "ecs", "RegisterTaskDefinition", definition, nil); err != nil {
		return "", err
	}
	var ran struct {
		Tasks []taskView `json:"tasks"`
	}
	if err := c.Call(ctx, "ecs", "RunTask", map[string]any{"taskDefinition": "sample"}, &ran); err != nil {
		return "", err
	}
	if len(ran.Tasks) == 0 {
		return "", errors.New("no node has room for it: look at `roadstead ps --nodes`")
	}
	return awaitPage(ctx, c, ran.Tasks[0].TaskArn)
}

// awaitPage waits until the task runs and its published port answers HTTP.
func awaitPage(ctx context.Context, c *client.Client, arn string) (string, error) {
	for {
		var page struct {
			Tasks []taskView `json:"tasks"`
		}
		if err := c.Call(ctx, "ecs", "DescribeTasks", map[string]any{"tasks": []string{arn}}, &page); err != nil {
			return "", err
		}
		for i := range page.Tasks {
			t := &page.Tasks[i]
			if t.LastStatus == "STOPPED" {
				return "", fmt.Errorf("task %s stopped: %s", last(arn), t.note())
			}
			url, err := published(ctx, c, t)
			if err != nil {
				return "", err
			}
			if url != "" && answers(ctx, url) {
				return url, nil
			}
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return "", fmt.Errorf("task %s does not answer: %w", last(arn), err)
		}
	}
}

// published is the URL of the task's first published port, "" while it has none.
func published(ctx context.Context, c *client.Client, t *taskView) (string, error) {
	for _, con := range t.Containers {
		for _, b := range con.Bindings {
			var page struct {
				Instances []nodeView `json:"containerInstances"`
			}
			if err := c.Call(ctx, "ecs", "DescribeContainerInstances", map[string]any{"containerInstances": []string{t.InstanceArn}}, &page); err != nil {
				return "", err
			}
			for _, n := range page.Instances {
				return fmt.Sprintf("http://%s:%d/", n.attribute("roadstead.address"), b.HostPort), nil
			}
		}
	}
	return "", nil
}

func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
