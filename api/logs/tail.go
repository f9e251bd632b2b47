package logs

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/logquery"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// What live tails are held to [D].
const (
	maxTails      = 15 // of an account
	maxTailGroups = 10
	maxTailEvents = 500 // of an update; of more, that many are chosen
	tailEvery     = time.Second
	tailTime      = 3 * time.Hour
)

// A liveTail is a session of StartLiveTail: what comes into its groups from its beginning on.
type liveTail struct {
	api     *API
	start   types.LiveTailSessionStart
	groups  []followed
	pattern *logquery.Pattern
	want    func(stream string) bool // nil means all
}

// followed is a group, and up to where it was looked at.
type followed struct {
	row   *model.LogGroup
	group *logstore.Group
	after uint64
}

func (a *API) startLiveTail(ctx context.Context, in *cloudwatchlogs.StartLiveTailInput) (wire.Stream, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	t := &liveTail{api: a, start: types.LiveTailSessionStart{
		LogEventFilterPattern: in.LogEventFilterPattern, LogGroupIdentifiers: in.LogGroupIdentifiers, LogStreamNames: in.LogStreamNames,
		LogStreamNamePrefixes: in.LogStreamNamePrefixes, SessionId: aws.String(uuidOf(a.NewID())),
	}}
	if call, ok := wire.CallFrom(ctx); ok {
		t.start.RequestId = aws.String(call.RequestID)
	}
	if t.pattern, err = parsePattern(in.LogEventFilterPattern); err != nil {
		return nil, err
	}
	if t.want, err = tailedStreams(in); err != nil {
		return nil, err
	}
	for i := range in.LogGroupIdentifiers {
		f, err := a.follow(ctx, &in.LogGroupIdentifiers[i])
		if err != nil {
			return nil, err
		}
		t.groups = append(t.groups, f)
	}
	if err := a.admitTail(ctx, s); err != nil {
		return nil, err
	}
	return func(yield func(wire.Event, error) bool) { t.run(ctx, yield) }, nil
}

// tailedStreams checks what is asked for, and says which streams are meant.
func tailedStreams(in *cloudwatchlogs.StartLiveTailInput) (func(string) bool, error) {
	names, prefixes := in.LogStreamNames, in.LogStreamNamePrefixes
	switch n := len(in.LogGroupIdentifiers); {
	case n < 1:
		return nil, violation(in.LogGroupIdentifiers, "logGroupIdentifiers", "Member must have length greater than or equal to 1")
	case n > maxTailGroups:
		return nil, violation(in.LogGroupIdentifiers, "logGroupIdentifiers", "Member must have length less than or equal to 10")
	case n > 1 && len(names)+len(prefixes) > 0:
		return nil, invalid("LogStreamNames and LogStreamNamePrefixes can only be specified with a single log group.") // [I]
	case len(names) > 0 && len(prefixes) > 0:
		return nil, invalid("LogStreamNamePrefixes and LogStreamNames are mutually exclusive parameters.") // [I]
	case len(names) > 100:
		return nil, violation(names, "logStreamNames", "Member must have length less than or equal to 100")
	case len(prefixes) > 100:
		return nil, violation(prefixes, "logStreamNamePrefixes", "Member must have length less than or equal to 100")
	}
	for _, name := range slices.Concat(names, prefixes) {
		if err := checkStreamName(name); err != nil {
			return nil, err
		}
	}
	switch {
	case len(names) > 0:
		return func(s string) bool { return slices.Contains(names, s) }, nil
	case len(prefixes) > 0:
		return func(s string) bool {
			return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
		}, nil
	}
	return nil, nil
}

// follow begins at what has come so far.
func (a *API) follow(ctx context.Context, identifier *string) (followed, error) {
	if strings.HasSuffix(*identifier, "*") {
		return followed{}, invalid("The ARN of a log group must not end with an asterisk here: %s", *identifier) // the rule is [D], the words [I]
	}
	row, err := a.identify(ctx, nil, identifier)
	if err != nil {
		return followed{}, err
	}
	if row.Class != string(types.LogGroupClassStandard) { // [D]; the words are [I]
		return followed{}, model.Errorf("InvalidOperationException", "Live Tail is available for log groups of the class STANDARD only.")
	}
	g, err := a.stored(ctx, row)
	if err != nil {
		return followed{}, err
	}
	return followed{row, g, g.Arrived()}, nil
}

// admitTail counts a session in, until its call ends.
func (a *API) admitTail(ctx context.Context, s model.Scope) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tails[s] >= maxTails {
		return model.Errorf("LimitExceededException", "Resource limit exceeded.") // [O] of other operations
	}
	a.tails[s]++
	context.AfterFunc(ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.tails[s]--; a.tails[s] == 0 {
			delete(a.tails, s)
		}
	})
	return nil
}

// run sends updates until the caller hangs up, the time is over, or another member leads: what comes then is not seen here.
func (t *liveTail) run(ctx context.Context, yield func(wire.Event, error) bool) {
	if !yield(wire.Event{Type: "sessionStart", Payload: &t.start}, nil) {
		return
	}
	end := time.NewTimer(tailTime)
	defer end.Stop()
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-end.C:
			yield(wire.Event{}, model.Errorf("SessionTimeoutException", "The Live Tail session has timed out.")) // the words are [I]
			return
		case <-ctx.Done():
			return
		}
		if !t.api.DB.Leading() {
			yield(wire.Event{}, model.Errorf("SessionStreamingException", "Another member of the control plane leads now. Start a new session."))
			return
		}
		update, err := t.update()
		if err != nil {
			t.api.Log.Warn("live tail", "session", *t.start.SessionId, "err", err)
			yield(wire.Event{}, model.Errorf("SessionStreamingException", "The log events could not be read."))
			return
		}
		if !yield(wire.Event{Type: "sessionUpdate", Payload: update}, nil) {
			return
		}
	}
}

// update is what has come since the last one. A group that was deleted meanwhile brings nothing more.
func (t *liveTail) update() (*types.LiveTailSessionUpdate, error) {
	chosen := sample[types.LiveTailSessionLogEvent]{most: maxTailEvents}
	for i := range t.groups {
		f := &t.groups[i]
		for e, err := range f.group.Arrivals(f.after, t.want) {
			if err != nil {
				if model.ErrorCode(refusal(err)) == "ResourceNotFoundException" {
					break
				}
				return nil, err
			}
			if f.after = e.Seq; t.pattern.Match(e.Message) {
				chosen.add(types.LiveTailSessionLogEvent{
					IngestionTime: aws.Int64(e.Ingested), LogGroupIdentifier: aws.String(f.row.Account + ":" + f.row.Name), // [I] as @log
					LogStreamName: aws.String(e.Stream), Message: aws.String(e.Message), Timestamp: aws.Int64(e.Time),
				})
			}
		}
	}
	events, sampled := chosen.take()
	return &types.LiveTailSessionUpdate{SessionMetadata: &types.LiveTailSessionMetadata{Sampled: sampled}, SessionResults: events}, nil
}

// A sample is at most so many of any number of things, evenly chosen and in their order. It never holds more than twice as many.
type sample[T any] struct {
	most int
	kept []T // every step-th of those that were seen
	seen int
	step int
}

func (s *sample[T]) add(v T) {
	if s.step = max(s.step, 1); s.seen%s.step == 0 {
		s.kept = append(s.kept, v)
	}
	s.seen++
	if len(s.kept) > 2*s.most {
		half := s.kept[:0]
		for i := 0; i < len(s.kept); i += 2 {
			half = append(half, s.kept[i])
		}
		s.kept, s.step = half, 2*s.step
	}
}

// take returns the chosen, and whether there were others.
func (s *sample[T]) take() ([]T, bool) {
	out := make([]T, min(len(s.kept), s.most))
	for i := range out {
		out[i] = s.kept[i*len(s.kept)/len(out)]
	}
	return out, s.seen > len(out)
}
