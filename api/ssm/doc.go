// Package ssm is the Systems Manager API as far as tasks and their owners need it: Parameter Store (parameter_*.go), and sessions at
// containers (session.go): a shell, a command, a port that is forwarded; and what the session-manager-plugin calls: it comes back to a
// session whose connection broke, and ends one (AGENT-PROTOCOL §5.1).
//
// It must not know how requests are decoded (wire), verified (auth) or allowed (access), nor what a session is: it is given
// functions for that.
package ssm
