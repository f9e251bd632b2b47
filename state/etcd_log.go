package state

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// etcdLog passes etcd's log on to slog, one level lower: what etcd informs about is our debugging. Once muted (while
// closing) it lets only fatal entries through, because etcd reports its own shutdown as errors.
type etcdLog struct {
	out   *slog.Logger
	muted *atomic.Bool
}

func newEtcdLog(out *slog.Logger) (*zap.Logger, *etcdLog) {
	core := &etcdLog{out.With("component", "etcd"), new(atomic.Bool)}
	return zap.New(core), core
}

// etcdChatter are warnings about things that are as we want them.
func etcdChatter() []string {
	return []string{
		"exceeded recommended request limit",
		"Running http and grpc server on single port",
		"simple token is not cryptographically signed",
		"memory map", "snapshotting", "lease keepalive",
		"failed to update storage version", "Failed to detect schema version", // of a member that is new
	}
}

func (l *etcdLog) Enabled(at zapcore.Level) bool {
	return l.out.Enabled(context.Background(), slogLevel(at))
}

func (l *etcdLog) With(fields []zapcore.Field) zapcore.Core {
	return &etcdLog{slog.New(l.out.Handler().WithAttrs(slogAttrs(fields))), l.muted}
}

func (l *etcdLog) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if l.muted.Load() && e.Level < zapcore.DPanicLevel || !l.Enabled(e.Level) {
		return to
	}
	return to.AddCore(e, l)
}

func (l *etcdLog) Write(e zapcore.Entry, fields []zapcore.Field) error {
	level := slogLevel(e.Level)
	if slices.ContainsFunc(etcdChatter(), func(s string) bool { return strings.Contains(e.Message, s) }) {
		level = slog.LevelDebug
	}
	l.out.LogAttrs(context.Background(), level, e.Message, slogAttrs(fields)...)
	return nil
}

func (l *etcdLog) Sync() error { return nil }

func slogLevel(at zapcore.Level) slog.Level {
	switch {
	case at <= zapcore.InfoLevel:
		return slog.LevelDebug
	case at == zapcore.WarnLevel:
		return slog.LevelInfo
	case at == zapcore.ErrorLevel:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

func slogAttrs(fields []zapcore.Field) []slog.Attr {
	enc := zapcore.NewMapObjectEncoder()
	attrs := make([]slog.Attr, 0, len(fields))
	for _, f := range fields {
		f.AddTo(enc)
	}
	for k, v := range enc.Fields {
		attrs = append(attrs, slog.Any(k, v))
	}
	slices.SortFunc(attrs, func(a, b slog.Attr) int { return strings.Compare(a.Key, b.Key) })
	return attrs
}
