// Package logforward sends log events to the URLs of subscription filters, while this member leads: each event that matches at least
// once, those of a stream in the order in which they came.
//
// What is sent is CloudWatch Logs' message, gzipped JSON, in the body of a POST. How far a filter is stands beside the events in the log
// store, because it is about what this member has (docs/decisions/019). A destination that fails is tried again, later and later; events
// that are older than a day are given up.
//
// It must not know who may make filters, nor what else reads log events.
//
// URLs are https://, as those of hooks are; http:// needs the operator's word, for the control plane is close to things that trust their
// network. Redirections are not followed.
package logforward
