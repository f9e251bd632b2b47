package cli

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/model"
)

// explain adds to an error what to do about it. What a server refused is told in its words, without the call that asked.
func explain(err error) string {
	text := err.Error()
	code := model.ErrorCode(err)
	if code != "" {
		text = asked.ReplaceAllString(text, "")
	}
	for _, a := range advice {
		if (a.code == "" || a.code == code) && strings.Contains(text, a.text) {
			return text + "\n" + a.todo
		}
	}
	return text
}

// asked is what the client says of a call before the server's words.
var asked = regexp.MustCompile(`(call [a-z0-9]+ [A-Za-z0-9]+|[A-Z]+ /roadstead/\S*): `) //nolint:gochecknoglobals // a constant

// advice is what to do about errors with a code and a text, the first that fits.
var advice = []struct{ code, text, todo string }{ //nolint:gochecknoglobals // a constant
	{"", "connection refused", "No Roadstead answers there. Start one with `roadstead dev`, or name another with --endpoint or ROADSTEAD_ENDPOINT."},
	{"", "no such host", "Nobody knows a machine of that name. Look at --endpoint or ROADSTEAD_ENDPOINT."},
	{"", "gave HTTP response to HTTPS client", "That port speaks http. Say http:// in --endpoint or ROADSTEAD_ENDPOINT."},
	{"", "i/o timeout", "Nothing answers there. Look at --endpoint or ROADSTEAD_ENDPOINT, and whether a firewall lets you through."},
	{"", "address already in use", "Another process has that port. Choose another with --listen 127.0.0.1:PORT."},
	{"UnrecognizedClientException", "", "The access key is not known there. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; `roadstead dev` has test / test."},
	{"InvalidSignatureException", "valid region", "It serves another Region. Say which with --region or AWS_REGION."},
	{"InvalidSignatureException", "Signature expired", "The clocks of this machine and of the control plane differ by more than five minutes."},
	{"InvalidSignatureException", "not yet current", "The clocks of this machine and of the control plane differ by more than five minutes."},
	{"InvalidSignatureException", "", "The access key is known, and its secret is another. Look at AWS_SECRET_ACCESS_KEY; `roadstead dev` has test / test."},
	{"ExpiredTokenException", "", "The temporary credentials are over. Get new ones, or unset AWS_SESSION_TOKEN and use an access key."},
	{"ClusterNotFoundException", "", "Name another with --cluster. `aws ecs list-clusters` lists those that are there."},
	{"ServiceNotFoundException", "", "`aws ecs list-services` lists those of a cluster; --cluster names another."},
	{"InvalidParameterException", "The referenced task was not found.", "`roadstead ps --all` lists those of a cluster; --cluster names another."},
	{"InvalidParameterException", "execute command was not enabled", "A task takes commands if it was started with --enable-execute-command, for a service: aws ecs update-service --enable-execute-command --force-new-deployment."},
}

// sayUsage has every command say how it is used when it is used in another way.
func sayUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return fmt.Errorf("%w\nUsage: %s\nSee `%s --help`.", err, cmd.UseLine(), cmd.CommandPath())
			}
			return nil
		}
	}
	c.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w\nSee `%s --help`.", err, cmd.CommandPath())
	})
	for _, sub := range c.Commands() {
		sayUsage(sub)
	}
}
