package registry

import (
	"context"
	"io"
	"log/slog"

	"github.com/sirupsen/logrus"
)

// BridgeLogs sends what libraries write to logrus (Distribution here, containerd on nodes) to the logger. Logrus is one
// logger for the whole process, so the process's assembly calls this, once.
func BridgeLogs(l *slog.Logger) {
	std := logrus.StandardLogger()
	std.SetOutput(io.Discard)
	std.SetLevel(logrus.WarnLevel)
	if l.Enabled(context.Background(), slog.LevelDebug) {
		std.SetLevel(logrus.InfoLevel)
	}
	hooks := make(logrus.LevelHooks)
	hooks.Add(bridge{l})
	std.ReplaceHooks(hooks)
}

type bridge struct{ log *slog.Logger }

func (bridge) Levels() []logrus.Level { return logrus.AllLevels }

// Fire forwards an entry. What libraries find informative is a detail to us; and "response completed with error" is an
// answer that the client got, a missing image for instance.
func (b bridge) Fire(e *logrus.Entry) error {
	level := slog.LevelDebug
	switch {
	case e.Message == "response completed with error":
	case e.Level <= logrus.ErrorLevel:
		level = slog.LevelError
	case e.Level == logrus.WarnLevel:
		level = slog.LevelWarn
	}
	ctx := e.Context
	if ctx == nil {
		ctx = context.Background()
	}
	if !b.log.Enabled(ctx, level) {
		return nil
	}
	var attrs []slog.Attr
	if err, ok := e.Data[logrus.ErrorKey]; ok {
		attrs = append(attrs, slog.Any("err", err))
	}
	b.log.LogAttrs(ctx, level, e.Message, attrs...)
	return nil
}
