package logs

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

const (
	exporters   = 2       // tasks that are worked on at the same time: they read whole groups
	exportBytes = 8 << 20 // of an object: API.exportBytes
	endAgain    = 5 * time.Second
)

// errCancelled says that somebody wants a task to end.
var errCancelled = errors.New("the export task is to end")

// export runs the export tasks in every term of this member, until ctx ends.
func (a *API) export(ctx context.Context) error {
	for {
		if err := a.DB.AwaitLead(ctx); err != nil {
			return err
		}
		a.exportTerm(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// exportTerm runs them as long as this member leads. What another term left is begun again: objects of the same keys replace those that it
// put.
func (a *API) exportTerm(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	room, begun := make(chan struct{}, exporters), map[string]bool{}
	snap, cursor := a.DB.Watch()
	t := snap.Tables
	for a.DB.Leading() {
		for e := range t.LogExports.All() {
			if key := e.Key(); e.EndedAt == 0 && !begun[key] {
				begun[key] = true
				running.Go(func() {
					select {
					case room <- struct{}{}:
						a.runExport(ctx, key)
						<-room
					case <-ctx.Done():
					}
				})
			}
		}
		if !awaitExport(ctx, cursor) {
			return
		}
		t = a.DB.Snapshot().Tables
	}
}

// awaitExport waits until an export task may have changed, or the term may be over.
func awaitExport(ctx context.Context, cursor *state.Cursor) bool {
	for {
		r, err := cursor.Next(ctx)
		if err != nil {
			return false
		}
		if r.Reset {
			return true
		}
		for i := range r.Changes {
			if _, ok := r.Changes[i].New.(*model.LogExport); ok {
				return true
			}
		}
	}
}

// runExport runs a task to its end, unless ctx or the term ends before.
func (a *API) runExport(ctx context.Context, key string) {
	x := &exporter{API: a, key: key, next: map[string]int{}}
	err := x.run(ctx)
	status, message := types.ExportTaskStatusCodeCompleted, "Completed successfully" // [O]
	var refused *model.Error
	switch {
	case ctx.Err() != nil || !a.DB.Leading():
		return
	case errors.Is(err, errCancelled):
		status, message = types.ExportTaskStatusCodeCancelled, ""
	case errors.As(err, &refused):
		status, message = types.ExportTaskStatusCodeFailed, refused.Message
	case err != nil:
		a.Log.Warn("export log events", "task", key, "err", err)
		status, message = types.ExportTaskStatusCodeFailed, "Internal error. The log of the control plane says more."
	}
	for err = x.change(ctx, status, message); err != nil && a.DB.Leading(); err = x.change(ctx, status, message) {
		a.Log.Warn("end an export task", "task", key, "err", err) // its account can begin no other before
		select {
		case <-time.After(endAgain):
		case <-ctx.Done():
			return
		}
	}
	if err == nil && x.group != nil {
		_ = x.group.Unmark(exportMark(x.task)) // it is only a name that nobody asks for any more
		_ = a.Hold(ctx, x.task.GroupID, 0)
	}
}

// An exporter puts the events of one task into objects: PREFIX/TASK/STREAM/000000.gz and so on [D], each a line for each event [O].
type exporter struct {
	*API
	key   string
	task  *model.LogExport
	group *logstore.Group
	next  map[string]int // number of the next object, by the folder: those of two streams may have one name
}

func (x *exporter) run(ctx context.Context) error {
	if err := x.change(ctx, types.ExportTaskStatusCodeRunning, ""); err != nil {
		return err
	}
	if x.task == nil {
		return errCancelled
	}
	row, err := lookup(x.DB.Snapshot().Tables, x.task.Scope, &x.task.Group)
	if err != nil || row.ID != x.task.GroupID {
		return errNoGroup()
	}
	if x.group, err = x.stored(ctx, row); err != nil {
		return err
	}
	if _, here := x.group.Mark(exportMark(x.task)); !here {
		return model.Errorf("InternalError", "Another member of the control plane led when the task was created. The log events of that time are there.")
	}
	q, err := x.window(row, &x.task.From, nil)
	if err != nil {
		return err
	}
	q.To = x.task.To + 1
	streams := slices.SortedFunc(slices.Values(x.group.Streams()), func(s, t logstore.Stream) int { return cmp.Compare(s.Name, t.Name) })
	for _, s := range streams {
		if strings.HasPrefix(s.Name, x.task.Streams) {
			q.Streams = []string{s.Name}
			if err := x.stream(ctx, s.Name, q); err != nil {
				return err
			}
		}
	}
	return nil
}

// stream puts the events of one stream.
func (x *exporter) stream(ctx context.Context, name string, q logstore.Query) error {
	var packed bytes.Buffer
	z, lines := gzip.NewWriter(&packed), 0
	put := func() error {
		if lines == 0 {
			return nil
		}
		if err := z.Close(); err != nil {
			return err
		}
		err := x.put(ctx, name, packed.Bytes())
		packed.Reset()
		z.Reset(&packed)
		lines = 0
		return err
	}
	for e, err := range x.group.Events(q) {
		if err != nil {
			return refusal(err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := fmt.Fprintf(z, "%s %s\n", time.UnixMilli(e.Time).UTC().Format("2006-01-02T15:04:05.000Z"), e.Message); err != nil {
			return err
		}
		if lines++; packed.Len() >= x.exportBytes {
			if err := put(); err != nil {
				return err
			}
		}
	}
	return put()
}

// put makes the next object of a stream, unless the task is to end.
func (x *exporter) put(ctx context.Context, stream string, body []byte) error {
	if e, ok := x.DB.Snapshot().LogExports.Get(x.key); !ok || e.Status != string(types.ExportTaskStatusCodeRunning) {
		return errCancelled
	}
	folder := exportKey(x.task.Prefix, x.task.ID) + "/" + strings.ReplaceAll(stream, "/", "-") // [O]
	key := fmt.Sprintf("%s/%06d.gz", folder, x.next[folder])
	x.next[folder]++
	return x.Deposit(ctx, x.task.Scope, x.task.Bucket, key, body)
}

// change puts a task's new status. One that is to end does not begin.
func (x *exporter) change(ctx context.Context, status types.ExportTaskStatusCode, message string) error {
	return x.DB.Update(ctx, func(tx *state.Tx) error {
		e, ok := tx.LogExports.Get(x.key)
		if !ok { // the server was reset
			return nil
		}
		row := *e
		x.task = &row
		begins := status == types.ExportTaskStatusCodeRunning
		if begins && row.Status == string(types.ExportTaskStatusCodePendingCancel) {
			return errCancelled
		}
		if !begins {
			row.EndedAt = x.now()
		}
		row.Status, row.Message = string(status), message
		tx.LogExports.Put(&row)
		return nil
	})
}
