package logs

// FilterPage is a page of FilterLogEvents that may look through less.
var FilterPage = filterPage //nolint:gochecknoglobals // a function's name

// StartLiveTail is the handler, for tests in a bubble: its stream without a connection.
var StartLiveTail = (*API).startLiveTail //nolint:gochecknoglobals // a method's name

// SetExportBytes changes how large the objects of export tasks become.
func SetExportBytes(a *API, n int) { a.exportBytes = n }
