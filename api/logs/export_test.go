package logs

// StartLiveTail is the handler, for tests in a bubble: its stream without a connection.
var StartLiveTail = (*API).startLiveTail //nolint:gochecknoglobals // a method's name
