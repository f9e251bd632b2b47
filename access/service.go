package access

import (
	"fmt"

	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// AuthorizeService decides about a call that a service makes in its own name ("logs.us-east-1.amazonaws.com"), not in that of whoever
// called it. The call's principal has no more than the account and Region that the service does it for. The policies of the thing alone
// say whether it may [D].
func (a *Access) AuthorizeService(t *state.Tables, c *Call, name string) error {
	op, ok := policy.LookupOperation(c.Service, c.Operation)
	if !ok || op.Action == "" {
		return fmt.Errorf("no policy says anything of %s:%s", c.Service, c.Operation)
	}
	d := decider{Access: a, Call: c, tables: t, op: &op, who: &policy.Principal{Kind: policy.Service, ARN: name}, policies: &policy.Policies{}}
	for _, target := range d.targets() {
		if err := d.decide(op.Action, op.Keys, target, nil); err != nil {
			return err
		}
	}
	return nil
}
