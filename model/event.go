package model

// DetailOverPermissive is the detail type of warnings about policies that allow everything, and about task definitions with such roles.
const DetailOverPermissive = "Roadstead Over-Permissive Policy"

// Event is what EventBridge is to be told of a service (SEMANTICS §14.2). The events of tasks and container instances are not
// stored: they follow from the changes of those rows. Records of exec sessions, and of
// pulls by other accounts, are events, too. Writers: controller/deploy, api/ecs, exec, api/ecr.
type Event struct {
	Scope
	ID         string   `json:"id"` // uuid
	At         Millis   `json:"at"`
	DetailType string   `json:"detailType"` // "ECS Service Action"
	Resources  []string `json:"resources"`  // ARNs
	Detail     string   `json:"detail"`     // JSON
}

// Key is the event's row key: events sort by time.
func (e *Event) Key() string { return e.Scope.Key(padded(e.At), e.ID) }
