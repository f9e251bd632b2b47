package ssm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
)

// KnownSession is one that was opened.
type KnownSession struct {
	ID                string
	Target            Target
	Forward           string // host:port of one that carries connections
	Principal         string // ARN of who opened it
	OpenedAt, EndedAt model.Millis
	Began             bool // what it was opened for did
	Connected         bool // its client is there
}

// describeSessions lists sessions that are under way, connected and disconnected, or those that are over [D]; AWS has these for 30 days,
// and we for as long as their records are kept.
func (a *api) describeSessions(ctx context.Context, in *sdk.DescribeSessionsInput) (*sdk.DescribeSessionsOutput, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return nil, errNoPrincipal
	}
	if !slices.Contains(in.State.Values(), in.State) {
		return nil, model.Errorf("ValidationException", "The state %s is not valid. Valid states: %v.", in.State, in.State.Values()) // [I]
	}
	wants, err := sessionFilters(in.Filters)
	if err != nil {
		return nil, err
	}
	var all []types.Session
	for _, k := range a.Known(p.Scope()) {
		if (k.EndedAt == 0) != (in.State == types.SessionStateActive) {
			continue
		}
		if s := viewSession(&k); !slices.ContainsFunc(wants, func(want wanted) bool { return !want(&s) }) {
			all = append(all, s)
		}
	}
	filters := []string{string(in.State)}
	for _, f := range in.Filters {
		filters = append(filters, string(f.Key)+"="+deref(f.Value))
	}
	key := func(s types.Session) string {
		return fmt.Sprintf("%016x %s", ^uint64(s.StartDate.UnixMilli()), *s.SessionId)
	} // newest first
	slices.SortFunc(all, func(s, t types.Session) int { return strings.Compare(key(s), key(t)) })
	page, next, err := pageOf("DescribeSessions", filters, all, key, deref(in.MaxResults), 200, in.NextToken)
	return &sdk.DescribeSessionsOutput{Sessions: append([]types.Session{}, page...), NextToken: next}, err
}

// viewSession shows a session. The names of the documents are AWS's: ECS's own is that of ExecuteCommand [O].
func viewSession(k *KnownSession) types.Session {
	target, document := k.Target.String(), "AmazonECS-ExecuteInteractiveCommand"
	if k.Forward != "" {
		document = "AWS-StartPortForwardingSession"
		if !strings.HasPrefix(k.Forward, "localhost:") {
			document += "ToRemoteHost"
		}
	}
	s := types.Session{
		SessionId: &k.ID, Target: &target, Owner: &k.Principal, DocumentName: &document, StartDate: at(k.OpenedAt),
		Status: types.SessionStatusDisconnected, AccessType: types.AccessTypeStandard,
	}
	switch {
	case k.EndedAt != 0 && k.Began:
		s.Status, s.EndDate = types.SessionStatusTerminated, at(k.EndedAt)
	case k.EndedAt != 0:
		s.Status, s.EndDate = types.SessionStatusFailed, at(k.EndedAt)
	case k.Connected:
		s.Status = types.SessionStatusConnected
	}
	return s
}

// wanted is a condition that sessions have to meet.
type wanted func(*types.Session) bool

// sessionFilters reads the filters of a request (their meaning [D], wordings [I]).
func sessionFilters(in []types.SessionFilter) (out []wanted, err error) {
	for _, f := range in {
		v := deref(f.Value)
		var moment time.Time
		if f.Key == types.SessionFilterKeyInvokedAfter || f.Key == types.SessionFilterKeyInvokedBefore {
			if moment, err = time.Parse(time.RFC3339, v); err != nil {
				return nil, model.Errorf("ValidationException", "The value %s of filter %s is no timestamp.", v, f.Key)
			}
		}
		switch f.Key {
		case types.SessionFilterKeyInvokedAfter:
			out = append(out, func(s *types.Session) bool { return !s.StartDate.Before(moment) })
		case types.SessionFilterKeyInvokedBefore:
			out = append(out, func(s *types.Session) bool { return s.StartDate.Before(moment) })
		case types.SessionFilterKeyTargetId:
			out = append(out, func(s *types.Session) bool { return *s.Target == v })
		case types.SessionFilterKeyOwner:
			out = append(out, func(s *types.Session) bool { return *s.Owner == v })
		case types.SessionFilterKeyStatus:
			out = append(out, func(s *types.Session) bool { return string(s.Status) == v })
		case types.SessionFilterKeySessionId:
			out = append(out, func(s *types.Session) bool { return *s.SessionId == v })
		case types.SessionFilterKeyAccessType:
			out = append(out, func(s *types.Session) bool { return string(s.AccessType) == v })
		default:
			return nil, model.Errorf("InvalidFilterKey", "The specified key isn't valid.") // [D]
		}
	}
	return out, nil
}
