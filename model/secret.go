package model

// Secret is a secret of Secrets Manager. Writer: api/secretsmanager; controller/reap deletes it.
type Secret struct {
	Scope
	Name        string `json:"name"`   // may hold "/"
	Suffix      string `json:"suffix"` // the six characters behind the name in the ARN: one that is made again has others
	Description string `json:"description,omitempty"`
	KMSKey      string `json:"kmsKey,omitempty"` // what its key is called, "" for the default
	Policy      string `json:"policy,omitempty"` // of the resource, as it was written
	CreatedAt   Millis `json:"createdAt"`
	ChangedAt   Millis `json:"changedAt"`
	// DeletedAt is when its deletion was asked for, and GoneAt when it will be gone; 0 if it was not.
	DeletedAt Millis `json:"deletedAt,omitempty"`
	GoneAt    Millis `json:"goneAt,omitempty"`
	Tags      []Tag  `json:"tags,omitempty"`
	// Versions are those that are kept, the oldest first. One whose rotation has begun may have no value yet.
	Versions []SecretStages `json:"versions,omitempty"`
	Rotation *Rotation      `json:"rotation,omitempty"` // nil if it never was to be rotated. Not changed in place
}

// Rotation is how a secret is rotated, and how far that is.
type Rotation struct {
	Enabled bool `json:"enabled,omitempty"`
	// Target is who does it: a URL, or one of our own.
	Target string `json:"target"`
	// Days or Schedule is when, neither for when it is asked for; Duration is how long the window is, in hours: "3h".
	Days     int64  `json:"days,omitempty"`
	Schedule string `json:"schedule,omitempty"`
	Duration string `json:"duration,omitempty"`
	NextAt   Millis `json:"nextAt,omitempty"` // when the next window opens, 0 for none
	LastAt   Millis `json:"lastAt,omitempty"` // when the last rotation was over

	// Version is what the rotation under way makes, "" if there is none; Step what is due at CallAt, after so many Failures.
	// A Trial is testSecret alone, of a version that goes when it is over.
	Version  string `json:"version,omitempty"`
	Trial    bool   `json:"trial,omitempty"`
	Step     string `json:"step,omitempty"` // createSecret, setSecret, testSecret, finishSecret
	Failures int    `json:"failures,omitempty"`
	CallAt   Millis `json:"callAt,omitempty"`
}

// SecretStages is a version of a secret: its id, the staging labels that are attached to it, and what its key was called.
type SecretStages struct {
	ID        string   `json:"id"`
	Stages    []string `json:"stages,omitempty"`
	CreatedAt Millis   `json:"createdAt"`
	KMSKey    string   `json:"kmsKey,omitempty"` // "" for the default
}

// Key is the secret's row key.
func (s *Secret) Key() string { return s.Scope.Key(s.Name) }

// ARN is the secret's Amazon resource name.
func (s *Secret) ARN() string { return s.Scope.ARN("secretsmanager", "secret:"+s.Name+"-"+s.Suffix) }

// SecretValue is the value of one version of a secret. Only the key that its data key is encrypted with changes. Writer: as of Secret.
type SecretValue struct {
	Scope
	Name   string `json:"name"` // of the secret
	Suffix string `json:"suffix"`
	ID     string `json:"id"` // of the version
	// Sealed is the value, encrypted with a data key, and DataKey that one, encrypted with a key of KMS. Values from before there were
	// data keys have none: the control plane has sealed them itself.
	Sealed  []byte `json:"sealed"`
	DataKey []byte `json:"dataKey,omitempty"`
	Binary  bool   `json:"binary,omitempty"`
}

// Key is the value's row key. No name has a "#".
func (v *SecretValue) Key() string { return SecretValueKey(v.Scope, v.Name, v.Suffix, v.ID) }

// SecretValueKey is the row key of the value of a version.
func SecretValueKey(s Scope, name, suffix, version string) string {
	return s.Key(name) + "#" + suffix + "#" + version
}
