// Package ecs is the ECS API: one handler per operation, which checks what was asked, writes the rows that say it, and
// shows rows in AWS's shapes (SEMANTICS §2). One file per noun and verb: cluster_*.go, definition_*.go, task_*.go,
// service_*.go, deployment_*.go, taskset_*.go, instance_*.go, attribute.go, protection.go, submit.go, tag.go, setting.go.
//
// It must not know how requests are decoded (wire) or verified (auth), how an instance is chosen (scheduler), what a
// task definition means (definition), how agents are told about their tasks (session), or who acts on a row it has
// written: a handler reads a snapshot, commits one transaction, and answers.
package ecs
