package cli

import (
	"fmt"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newAccount() *cobra.Command {
	cmd := &cobra.Command{
		Use: "account", Short: "Accounts of this control plane, which see nothing of each other",
		Long: `Make and list accounts. Each is a tenant of its own, with users, clusters and nodes that no other account sees.

Accounts are made with the root access key of the account that the control plane was started with: the operator's. Nodes
work for one account each: those that joined with a token of it.`,
	}
	cmd.AddCommand(newAccountCreate(), newAccountList(), newAccountKey())
	return cmd
}

// rootKey is a root user's access key as it is shown this once.
type rootKey struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

// print prints a key so that "export $(...)" takes it.
func (k rootKey) print(cmd *cobra.Command) {
	fmt.Fprintf(cmd.OutOrStdout(), "AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", k.AccessKeyID, k.SecretAccessKey)
	fmt.Fprintln(cmd.ErrOrStderr(), "This is the root access key. It is not shown again.")
}

func newAccountCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create ACCOUNT", Short: "Make an account, and print its root access key, once",
		Example: `  roadstead account create 111122223333 --name team-blue
  (export $(roadstead account create 111122223333); aws --endpoint-url http://127.0.0.1:4566 ecs create-cluster)
  roadstead agent --server http://127.0.0.1:4566 --name blue --data-dir /var/lib/roadstead/blue --subnet 10.89.0.0/16 \
      --token "$(roadstead token create --account 111122223333)"`,
		Args: cobra.ExactArgs(1),
	}
	connect := connectFlags(cmd)
	name := cmd.Flags().String("name", "", "what it is called")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		var key rootKey
		if err := c.Do(cmd.Context(), "POST", "/roadstead/v1/accounts", map[string]string{"account": args[0], "name": *name}, &key); err != nil {
			return err
		}
		key.print(cmd)
		return nil
	}
	return cmd
}

func newAccountKey() *cobra.Command {
	cmd := &cobra.Command{
		Use: "new-key ACCOUNT", Short: "Replace an account's root access key by another one, and print that, once",
		Example: `  roadstead account new-key 111122223333    # the old one was lost, or found by somebody`,
		Args:    cobra.ExactArgs(1),
	}
	connect := connectFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		var key rootKey
		if err := c.Do(cmd.Context(), "POST", "/roadstead/v1/accounts/"+url.PathEscape(args[0])+"/root-key", struct{}{}, &key); err != nil {
			return err
		}
		key.print(cmd)
		return nil
	}
	return cmd
}

func newAccountList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the accounts", Example: `  roadstead account list`, Args: cobra.NoArgs,
	}
	connect := connectFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		var out struct {
			Accounts []struct {
				ID        string `json:"id"`
				Name      string `json:"name"`
				CreatedAt int64  `json:"createdAt"`
				Operator  bool   `json:"operator"`
			} `json:"accounts"`
		}
		if err := c.Do(cmd.Context(), "GET", "/roadstead/v1/accounts", nil, &out); err != nil {
			return err
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ACCOUNT\tCREATED\tNAME")
		for _, a := range out.Accounts {
			if a.Operator && a.Name == "" {
				a.Name = "(the operator's)"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", a.ID, time.UnixMilli(a.CreatedAt).UTC().Format(time.RFC3339), a.Name)
		}
		return w.Flush()
	}
	return cmd
}
