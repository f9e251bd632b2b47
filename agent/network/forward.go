package network

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// A chain whose policy is drop (Docker sets FORWARD so) drops what our own table accepts: the accepts must stand in
// its table, in the chain that Docker leaves to others if there is one.

const (
	dockerUser   = "DOCKER-USER"
	forwardChain = "FORWARD"
)

// acceptForwarding adds accepts for the bridge where forwarding is dropped; again is nothing new.
func (r *ruleset) acceptForwarding() error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	if err := r.dropAccepts(c); err != nil {
		return err
	}
	to := forwardTarget(c)
	if to == nil {
		return nil
	}
	for _, key := range []expr.MetaKey{expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME} {
		c.InsertRule(&nftables.Rule{
			Table: to.Table, Chain: to, UserData: r.mark(),
			Exprs: append(ifname(key, expr.CmpOpEq, r.bridge), verdict(expr.VerdictAccept)...),
		})
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("accept forwarding: %w", err)
	}
	return nil
}

// forwardTarget is the chain that needs our accepts, nil if none does. A machine without that table has none.
func forwardTarget(c *nftables.Conn) *nftables.Chain {
	chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyIPv4)
	if err != nil {
		return nil
	}
	var found *nftables.Chain
	for _, ch := range chains {
		if ch.Table.Name != "filter" {
			continue
		}
		if ch.Name == dockerUser {
			return ch
		}
		if ch.Name == forwardChain && ch.Policy != nil && *ch.Policy == nftables.ChainPolicyDrop {
			found = ch
		}
	}
	return found
}

// dropAccepts removes what acceptForwarding added.
func (r *ruleset) dropAccepts(c *nftables.Conn) error {
	for _, name := range []string{dockerUser, forwardChain} {
		t := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "filter"}
		rules, err := c.GetRules(t, &nftables.Chain{Table: t, Name: name})
		if err != nil {
			continue // no such table or chain
		}
		for _, rule := range rules {
			if string(rule.UserData) != string(r.mark()) {
				continue
			}
			if err := c.DelRule(rule); err != nil {
				return fmt.Errorf("remove accept: %w", err)
			}
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("remove accepts: %w", err)
	}
	return nil
}

// mark is an nft comment (type 0, length, text, NUL), by which our rules are known in others' chains.
func (r *ruleset) mark() []byte {
	text := append([]byte("roadstead-"+r.bridge), 0)
	return append([]byte{0, byte(len(text))}, text...)
}
