package model

import (
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Task definition statuses (SEMANTICS §3).
const (
	DefinitionActive   = "ACTIVE"
	DefinitionInactive = "INACTIVE"
	DefinitionDeleting = "DELETE_IN_PROGRESS"
)

// Family is the number line of a task definition family; it outlives its revisions and is never reset
// (SEMANTICS §2.4). Writer: api/ecs.
type Family struct {
	Scope
	Name         string `json:"name"`
	LastRevision int32  `json:"lastRevision"`
}

// Key is the family's row key.
func (f *Family) Key() string { return f.Scope.Key(f.Name) }

// TaskDefinition is one registered revision. Spec is what the user wrote, normalised once at registration and never
// modified afterwards; its status, revision and dates are the row's own. Writer: api/ecs.
type TaskDefinition struct {
	Scope
	Family         string `json:"family"`
	Revision       int32  `json:"revision"`
	Status         string `json:"status"`
	RegisteredAt   Millis `json:"registeredAt"`
	RegisteredBy   string `json:"registeredBy"`
	DeregisteredAt Millis `json:"deregisteredAt,omitempty"`
	DeleteAt       Millis `json:"deleteAt,omitempty"`
	Tags           []Tag  `json:"tags,omitempty"`

	Spec types.TaskDefinition `json:"-"`
}

// Key is the definition's row key; revisions of a family sort in order.
func (d *TaskDefinition) Key() string { return DefinitionKey(d.Scope, d.Family, d.Revision) }

// ARN is the definition's Amazon resource name.
func (d *TaskDefinition) ARN() string { return DefinitionARN(d.Scope, d.Name()) }

// Name is FAMILY:REVISION.
func (d *TaskDefinition) Name() string { return d.Family + ":" + strconv.Itoa(int(d.Revision)) }

// Specs points to the user-authored parts of the row, which the state's spec codec stores.
func (d *TaskDefinition) Specs() []any { return []any{&d.Spec} }

// DefinitionKey is the row key of a revision.
func DefinitionKey(s Scope, family string, revision int32) string {
	n := strconv.Itoa(int(revision))
	return s.Key(family, "0000000000"[:10-len(n)]+n)
}

// DefinitionARN is the ARN of FAMILY:REVISION.
func DefinitionARN(s Scope, name string) string { return s.ARN("ecs", "task-definition/"+name) }
