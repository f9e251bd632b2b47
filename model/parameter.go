package model

import "fmt"

// Parameter is a parameter of Parameter Store: what is the same of all its versions. Writer: api/ssm; controller/reap deletes it.
type Parameter struct {
	Scope
	Name    string `json:"name"`    // "/a/b" or "b"
	Version int64  `json:"version"` // the newest one's number, from 1 on
	Oldest  int64  `json:"oldest"`  // the number of the oldest one that is kept
	Tags    []Tag  `json:"tags,omitempty"`
	GoneAt  Millis `json:"goneAt,omitempty"` // when its policy deletes it, 0 for never
}

// Key is the parameter's row key.
func (p *Parameter) Key() string { return p.Scope.Key(p.Name) }

// ARN is the parameter's Amazon resource name: that of /a/b ends with parameter/a/b.
func (p *Parameter) ARN() string { return ParameterARN(p.Scope, p.Name) }

// ParameterARN is the ARN of the parameter with the name.
func ParameterARN(s Scope, name string) string {
	if name != "" && name[0] == '/' {
		name = name[1:]
	}
	return s.ARN("ssm", "parameter/"+name)
}

// ParameterVersion is one version of a parameter. Writer: api/ssm.
type ParameterVersion struct {
	Scope
	Name    string `json:"name"`
	Version int64  `json:"version"`
	Type    string `json:"type"` // String, StringList or SecureString
	// Value is the value, and Sealed the value of a SecureString instead.
	Value  string `json:"value,omitempty"`
	Sealed []byte `json:"sealed,omitempty"`
	// Wrapped says that Sealed was encrypted with a key of KMS, or, if there is a DataKey, with that, which was encrypted so. Values
	// from before are sealed by the control plane itself.
	Wrapped bool   `json:"wrapped,omitempty"`
	DataKey []byte `json:"dataKey,omitempty"`

	KeyID          string   `json:"keyId,omitempty"` // of a SecureString: what its key was called
	Tier           string   `json:"tier"`            // Standard or Advanced
	DataType       string   `json:"dataType"`
	Description    string   `json:"description,omitempty"`
	AllowedPattern string   `json:"allowedPattern,omitempty"`
	Policies       string   `json:"policies,omitempty"` // as they were written, a JSON list
	Labels         []string `json:"labels,omitempty"`
	At             Millis   `json:"at"`
	By             string   `json:"by"` // ARN of who wrote it
}

// Key is the version's row key: those of a parameter sort by age.
func (v *ParameterVersion) Key() string { return ParameterVersionKey(v.Scope, v.Name, v.Version) }

// ParameterVersionKey is the row key of a version. No name has an "@".
func ParameterVersionKey(s Scope, name string, version int64) string {
	return s.Key(name) + fmt.Sprintf("@%010d", version)
}
