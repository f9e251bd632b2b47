// Package logs is the CloudWatch Logs API: one handler per operation, one file per noun (group, stream, event, query, ...).
//
// Groups are rows; their streams and events are in the log store, of which each member has a copy (docs/decisions/019, 046). What a filter
// pattern or a query means is logquery's. The package must not know how requests are decoded (wire) or verified (auth), how
// events are stored, nor who else reads the rows.
package logs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// Config says what the API is made of. Everything up to Deposit is required.
type Config struct {
	DB    *state.DB
	Store *logstore.Store
	NewID func() string // 32 hex digits
	// Keys uses keys of KMS in CloudWatch Logs' own name. The store's Open is the API's OpenKey.
	Keys keyring.Service
	// Check sends a first message to the destination of a subscription filter. A *model.Error is for the caller.
	Check func(ctx context.Context, destination string) error
	// MayDeposit decides whether the caller may put an object, and Deposit puts one into a bucket of an account. They refuse as S3 does.
	MayDeposit func(ctx context.Context, bucket, key string) error
	Deposit    func(ctx context.Context, s model.Scope, bucket, key string, body []byte) error
	// Ready waits until what earlier leaders acknowledged of a group is in the store; "" is all that does not wait for a key of KMS. Hold waits
	// until a majority of members has what has arrived up to a Seq; 0 waits for nothing, and is for a group that is gone or whose
	// marks have changed. nil: this member is the only one.
	Ready func(ctx context.Context, group string) error
	Hold  func(ctx context.Context, group string, seq uint64) error
	Now   func() time.Time // nil means time.Now
	Log   *slog.Logger     // nil means slog.Default()
}

// API has the handlers, and what they start: queries and export tasks. Run it.
type API struct {
	Config
	asked       chan struct{} // a query waits
	exportBytes int           // of an object, compressed, about: it is in memory until it is put

	mu      sync.Mutex
	queries []*query            // by age
	tails   map[model.Scope]int // sessions of StartLiveTail
	keys    map[string]groupKey // by the group's id
}

// New returns the API; Mux has its handlers.
func New(cfg Config) *API {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Ready == nil {
		cfg.Ready = func(context.Context, string) error { return nil }
	}
	if cfg.Hold == nil {
		cfg.Hold = func(context.Context, string, uint64) error { return nil }
	}
	return &API{Config: cfg, asked: make(chan struct{}, 1), exportBytes: exportBytes, tails: map[model.Scope]int{}, keys: map[string]groupKey{}}
}

// Mux returns the handlers of the operations that are served; the others answer UnsupportedFeatureException.
func (a *API) Mux() *wire.Mux {
	m := wire.NewMux(wire.Logs())
	wire.Handle(m, "CreateLogGroup", a.createLogGroup)
	wire.Handle(m, "DescribeLogGroups", a.describeLogGroups)
	wire.Handle(m, "ListLogGroups", a.listLogGroups)
	wire.Handle(m, "DeleteLogGroup", a.deleteLogGroup)
	wire.Handle(m, "PutRetentionPolicy", a.putRetentionPolicy)
	wire.Handle(m, "DeleteRetentionPolicy", a.deleteRetentionPolicy)
	wire.Handle(m, "PutLogGroupDeletionProtection", a.putLogGroupDeletionProtection)

	wire.Handle(m, "AssociateKmsKey", a.associateKmsKey)
	wire.Handle(m, "DisassociateKmsKey", a.disassociateKmsKey)

	wire.Handle(m, "CreateLogStream", a.createLogStream)
	wire.Handle(m, "DescribeLogStreams", a.describeLogStreams)
	wire.Handle(m, "DeleteLogStream", a.deleteLogStream)

	wire.Handle(m, "PutLogEvents", a.putLogEvents)
	wire.Handle(m, "GetLogEvents", a.getLogEvents)
	wire.Handle(m, "FilterLogEvents", a.filterLogEvents)

	wire.HandleStream(m, "StartLiveTail", a.startLiveTail)

	wire.Handle(m, "StartQuery", a.startQuery)
	wire.Handle(m, "GetQueryResults", a.getQueryResults)
	wire.Handle(m, "StopQuery", a.stopQuery)
	wire.Handle(m, "DescribeQueries", a.describeQueries)
	wire.Handle(m, "ListLogGroupsForQuery", a.listLogGroupsForQuery)
	wire.Handle(m, "PutQueryDefinition", a.putQueryDefinition)
	wire.Handle(m, "DescribeQueryDefinitions", a.describeQueryDefinitions)
	wire.Handle(m, "DeleteQueryDefinition", a.deleteQueryDefinition)
	wire.Handle(m, "GetLogRecord", a.getLogRecord)
	wire.Handle(m, "GetLogGroupFields", a.getLogGroupFields)

	wire.Handle(m, "PutMetricFilter", a.putMetricFilter)
	wire.Handle(m, "DescribeMetricFilters", a.describeMetricFilters)
	wire.Handle(m, "DeleteMetricFilter", a.deleteMetricFilter)
	wire.Handle(m, "TestMetricFilter", a.testMetricFilter)

	wire.Handle(m, "PutSubscriptionFilter", a.putSubscriptionFilter)
	wire.Handle(m, "DescribeSubscriptionFilters", a.describeSubscriptionFilters)
	wire.Handle(m, "DeleteSubscriptionFilter", a.deleteSubscriptionFilter)

	wire.Handle(m, "CreateExportTask", a.createExportTask)
	wire.Handle(m, "DescribeExportTasks", a.describeExportTasks)
	wire.Handle(m, "CancelExportTask", a.cancelExportTask)

	wire.Handle(m, "TagLogGroup", a.tagLogGroup)
	wire.Handle(m, "UntagLogGroup", a.untagLogGroup)
	wire.Handle(m, "ListTagsLogGroup", a.listTagsLogGroup)
	wire.Handle(m, "TagResource", a.tagResource)
	wire.Handle(m, "UntagResource", a.untagResource)
	wire.Handle(m, "ListTagsForResource", a.listTagsForResource)

	wire.Handle(m, "PutResourcePolicy", a.putResourcePolicy)
	wire.Handle(m, "DescribeResourcePolicies", a.describeResourcePolicies)
	wire.Handle(m, "DeleteResourcePolicy", a.deleteResourcePolicy)
	return m
}

// caller returns whose rows the call is about.
func caller(ctx context.Context) (model.Scope, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return model.Scope{}, errors.New("the request was not verified")
	}
	return p.Scope(), nil
}

// find returns a group's row.
func (a *API) find(ctx context.Context, name *string) (*model.LogGroup, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	return lookup(a.DB.Snapshot().Tables, s, name)
}

func lookup(t *state.Tables, s model.Scope, name *string) (*model.LogGroup, error) {
	if err := checkGroupName(value(name)); err != nil {
		return nil, err
	}
	row, ok := t.LogGroups.Get(s.Key(*name))
	if !ok {
		return nil, errNoGroup()
	}
	return row, nil
}

// identify returns the row of the group that is named, or whose name or ARN is the identifier: it may be another account's.
func (a *API) identify(ctx context.Context, name, identifier *string) (*model.LogGroup, error) {
	switch {
	case name != nil && identifier != nil:
		return nil, invalid("LogGroupName and LogGroupIdentifier cannot be specified at the same time.") // [I]
	case name == nil && identifier == nil:
		return nil, invalid("1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null")
	case name != nil:
		return a.find(ctx, name)
	}
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	s, plain, err := anyGroupOf(s, *identifier)
	if err != nil {
		return nil, err
	}
	return lookup(a.DB.Snapshot().Tables, s, &plain)
}

// open returns a group's row and what is stored of it.
func (a *API) open(ctx context.Context, name *string) (*model.LogGroup, *logstore.Group, error) {
	row, err := a.find(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	g, err := a.stored(ctx, row)
	return row, g, err
}

// stored is what is stored of a group.
func (a *API) stored(ctx context.Context, row *model.LogGroup) (*logstore.Group, error) {
	if err := a.Ready(ctx, row.ID); err != nil {
		return nil, err
	}
	return a.Store.Group(row.ID)
}

// held waits until a majority of members has what was done to a group.
func (a *API) held(ctx context.Context, row *model.LogGroup, g *logstore.Group, err error) error {
	if err != nil {
		return refusal(err)
	}
	return a.Hold(ctx, row.ID, g.Arrived())
}

// change puts a changed copy of a group's row.
func (a *API) change(ctx context.Context, name *string, f func(*model.LogGroup) error) error {
	return a.alter(ctx, name, func(_ *state.Tx, row *model.LogGroup) error { return f(row) })
}

// alter is change for what looks at other rows, too.
func (a *API) alter(ctx context.Context, name *string, f func(*state.Tx, *model.LogGroup) error) error {
	s, err := caller(ctx)
	if err != nil {
		return err
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		r, err := lookup(tx.Tables, s, name)
		if err != nil {
			return err
		}
		row := *r
		if err := f(tx, &row); err != nil {
			return err
		}
		tx.LogGroups.Put(&row)
		return nil
	})
}

func (a *API) now() int64 { return a.Now().UnixMilli() }

// uuidOf writes 32 hex digits as a UUID.
func uuidOf(id string) string {
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
