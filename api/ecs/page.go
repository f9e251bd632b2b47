package ecs

import (
	"github.com/roadstead/roadstead/wire"
)

// pager collects one page of a listing in key order (SEMANTICS §1.2).
type pager struct {
	op      string
	filters []string
	limit   int
	after   string // key of the last entry of the page before, "" on the first page
	falling bool   // keys come in falling order
	last    string
	out     []string
	next    *string
}

// newPager reads the paging members of a request. The token is bound to the operation and the filters, which hold the
// account and the Region too.
func newPager(op string, filters []string, most int, maxResults *int32, token *string) (*pager, error) {
	p := &pager{op: op, filters: filters, limit: most, out: []string{}}
	if maxResults != nil {
		if *maxResults < 1 || int(*maxResults) > most {
			return nil, invalid("maxResults must be between 1 and %d.", most) // [I]
		}
		p.limit = int(*maxResults)
	}
	if value(token) != "" {
		var err error
		if p.after, err = wire.ParsePageToken(op, filters, *token); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// start is the key to begin a scan at; the entry with that key itself is passed over by add.
func (p *pager) start() string { return p.after }

// add puts an entry on the page and reports whether the page takes more. Keys come in order.
func (p *pager) add(key, entry string) bool {
	if p.after != "" && (key == p.after || key > p.after == p.falling) {
		return true // of an earlier page
	}
	if len(p.out) == p.limit {
		p.next = text(wire.PageToken(p.op, p.filters, p.last))
		return false
	}
	p.out, p.last = append(p.out, entry), key
	return true
}
