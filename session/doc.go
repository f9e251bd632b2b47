// Package session is the control plane's side of connected agents: it pushes the tasks placed on an instance over ACS
// until they are acknowledged, says which instances are connected, and takes health over TCS. What a task reports
// otherwise comes through the API (api/ecs, Submit*StateChange).
//
// It must not know how a task is run, nor decide anything about tasks: it carries rows to nodes and facts back.
package session
