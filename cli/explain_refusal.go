package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/policy"
)

// explainRefusal decodes the message of a refused call, as whoever calls may.
func explainRefusal(cmd *cobra.Command, c *client.Client, message string, asJSON bool) error {
	var out struct{ DecodedMessage string }
	if err := c.Call(cmd.Context(), "sts", "DecodeAuthorizationMessage", map[string]string{"EncodedMessage": message}, &out); err != nil {
		return err
	}
	var why policy.Refusal
	if err := json.Unmarshal([]byte(out.DecodedMessage), &why); err != nil {
		return fmt.Errorf("read the message: %w", err)
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), why)
	}
	return printRefusal(cmd.OutOrStdout(), &why)
}

func printRefusal(out io.Writer, why *policy.Refusal) error {
	fmt.Fprintf(out, "%s asked for %s on %s.\n", why.Context.Principal.ARN, why.Context.Action, why.Context.Resource)
	_, err := fmt.Fprintf(out, "It was %s.\n", why.Explanation)
	for i, near := range why.Near {
		if i == 0 {
			fmt.Fprintln(out, "\nThese statements are about the action, and would allow it:")
		}
		_, err = fmt.Fprintln(out, "  "+near)
	}
	return err
}
