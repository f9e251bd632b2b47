package model

import "github.com/aws/aws-sdk-go-v2/service/ecs/types"

// Launch is what a call of RunTask, or a deployment, gives all the tasks that it makes. In memory their rows share one, which
// is most of what a task is made of; each is stored with all of it. So a Launch never changes once a task in a table has it:
// Relaunched gives a task another one.
type Launch struct {
	Scope
	Cluster    string `json:"cluster"`
	Definition string `json:"definition"` // FAMILY:REVISION
	LaunchType string `json:"launchType,omitempty"`
	Network    string `json:"network"` // bridge, host, none, awsvpc

	Group             string   `json:"group,omitempty"`
	StartedBy         string   `json:"startedBy,omitempty"`
	CPU               string   `json:"cpu,omitempty"`    // task-level units as text, "" if unset
	Memory            string   `json:"memory,omitempty"` // task-level MiB as text, "" if unset
	ExecEnabled       bool     `json:"exec,omitempty"`
	PlatformVersion   string   `json:"platformVersion,omitempty"`
	CapacityProvider  string   `json:"capacityProvider,omitempty"`
	EphemeralStorage  int32    `json:"ephemeralStorage,omitempty"` // GiB
	AssignPublicIP    string   `json:"assignPublicIp,omitempty"`
	Subnets           []string `json:"subnets,omitempty"`
	SecurityGroups    []string `json:"securityGroups,omitempty"`
	PropagateTags     string   `json:"propagateTags,omitempty"`
	EnableManagedTags bool     `json:"managedTags,omitempty"`

	// Constraints, those of the definition first, and Strategy are what the task was placed by, or is to be.
	Constraints []PlacementConstraint `json:"constraints,omitempty"`
	Strategy    []PlacementStrategy   `json:"strategy,omitempty"`

	// Overrides is the user's, verbatim; nil if the call had none.
	Overrides *types.TaskOverride `json:"-"`
}

// Relaunched returns the task with a Launch of its own, changed.
func (t Task) Relaunched(change func(*Launch)) Task {
	l := *t.Launch
	change(&l)
	t.Launch = &l
	return t
}

// AppendKey appends what tells the launch from others, but for Overrides.
func (l *Launch) AppendKey(b []byte) []byte {
	c := rowCodec{out: b}
	c.text(1, &l.Account)
	c.text(2, &l.Region)
	c.text(3, &l.Cluster)
	c.text(5, &l.Definition)
	l.fields(&c)
	return c.out
}
