package acs

// MembersPath is where a node asks for Members (GET), and where a member announces itself to the leader (POST).
const MembersPath = "/roadstead/v1/members"

// Members are the URLs at which the members of a control plane serve, the leader's first.
type Members struct {
	Members []string `json:"members"`
	// Registry is the host under which all of them serve images, "" if it has no name of its own.
	Registry string `json:"registry,omitempty"`
}
