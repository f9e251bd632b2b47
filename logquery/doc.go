// Package logquery says what filter patterns of CloudWatch Logs match ([D] "Filter pattern syntax"), and what Insights queries
// answer. It is pure: texts in, texts out.
//
// It must not know where events are kept nor how they are asked for.
package logquery
