package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
)

func newImage() *cobra.Command {
	cmd := &cobra.Command{Use: "image", Short: "Put images into the registry"}
	cmd.AddCommand(newImagePush(), newImageBuild())
	return cmd
}

func newImagePush() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "push ARCHIVE REPOSITORY[:TAG]",
		Short: "Load a docker-save or OCI archive into the registry and print the image reference",
		Example: `  docker save web:1 -o web.tar && roadstead image push web.tar web:1
  roadstead image push oci-layout.tar team/api:2026-11-21`,
		Args: cobra.ExactArgs(2),
	}
	connect := connectFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return push(cmd, connect, args[0], args[1])
	}
	return cmd
}

func newImageBuild() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "build BINARY REPOSITORY[:TAG]",
		Short:   "Make an image of one static binary, put it into the registry and print the image reference",
		Example: `  CGO_ENABLED=0 go build -o api . && roadstead image build ./api api:1`,
		Args:    cobra.ExactArgs(2),
	}
	connect := connectFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir, err := os.MkdirTemp("", "roadstead-image-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		archive := filepath.Join(dir, "image.tar")
		if err := registry.WriteBinaryArchive(args[0], archive); err != nil {
			return err
		}
		return push(cmd, connect, archive, args[1])
	}
	return cmd
}

func push(cmd *cobra.Command, connect func() (*client.Client, error), archive, target string) error {
	c, err := connect()
	if err != nil {
		return err
	}
	defer c.Close()
	ref, err := pushImage(cmd.Context(), c, archive, target)
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), ref)
	return nil
}

// pushImage puts the image of an archive into a repository, which is created if it does not exist, and returns the
// reference for task definitions.
func pushImage(ctx context.Context, c *client.Client, archive, target string) (string, error) {
	repo, tag, ok := strings.Cut(target, ":")
	if !ok {
		tag = "latest"
	}
	err := c.Call(ctx, "ecr", "CreateRepository", map[string]string{"repositoryName": repo}, nil)
	if err != nil && model.ErrorCode(err) != "RepositoryAlreadyExistsException" {
		return "", err
	}
	var described struct {
		Repositories []struct {
			RepositoryURI string `json:"repositoryUri"`
		} `json:"repositories"`
	}
	if err := c.Call(ctx, "ecr", "DescribeRepositories", map[string]any{"repositoryNames": []string{repo}}, &described); err != nil {
		return "", err
	}
	user, password, err := registryLogin(ctx, c)
	if err != nil {
		return "", err
	}
	if len(described.Repositories) == 0 {
		return "", fmt.Errorf("repository %s was created but is not described", repo)
	}
	ref := described.Repositories[0].RepositoryURI + ":" + tag
	_, err = registry.PushArchive(ctx, archive, ref, registry.PushOptions{User: user, Password: password, Insecure: true})
	return ref, err
}

// registryLogin gets a user and password for the registry, as `aws ecr get-login-password` does.
func registryLogin(ctx context.Context, c *client.Client) (user, password string, err error) {
	var auth struct {
		AuthorizationData []struct {
			AuthorizationToken []byte `json:"authorizationToken"` // base64 of USER:PASSWORD
		} `json:"authorizationData"`
	}
	if err := c.Call(ctx, "ecr", "GetAuthorizationToken", nil, &auth); err != nil {
		return "", "", err
	}
	if len(auth.AuthorizationData) == 0 {
		return "", "", errors.New("GetAuthorizationToken answered without a token")
	}
	user, password, _ = strings.Cut(string(auth.AuthorizationData[0].AuthorizationToken), ":")
	return user, password, nil
}
