package model

// Account is one tenant. Writer: server (bootstrap, the operator's calls).
type Account struct {
	ID        string `json:"id"` // 12 digits
	Name      string `json:"name,omitempty"`
	CreatedAt Millis `json:"createdAt"`
}

// Key is the account's row key.
func (a *Account) Key() string { return a.ID }

// Kinds of access keys.
const (
	KeyRoot = "root" // the account's root user
	KeyNode = "node" // an agent that joined with a token; may register and speak for instances only
	KeyUser = "user" // an IAM user; may do what policies allow
)

// AccessKey is a SigV4 credential. Writers: server (bootstrap, accounts, join tokens), and api/iam of those of users.
type AccessKey struct {
	ID        string `json:"id"`
	Sealed    []byte `json:"sealed,omitempty"` // the secret, for the control plane alone (auth.OpenKey)
	Secret    string `json:"secret,omitempty"` // never stored, but in rows from before secrets were sealed
	Account   string `json:"account"`
	Kind      string `json:"kind"`
	CreatedAt Millis `json:"createdAt"`
	// Of a user: his id and ARN, and whether the key is switched off.
	UserID   string `json:"userId,omitempty"`
	UserARN  string `json:"userArn,omitempty"`
	Inactive bool   `json:"inactive,omitempty"`
}

// Key is the access key's row key.
func (k *AccessKey) Key() string { return k.ID }

// PrincipalARN is the ARN that GetCallerIdentity shows for the key's owner.
func (k *AccessKey) PrincipalARN() string {
	switch k.Kind {
	case KeyNode:
		return "arn:aws:sts::" + k.Account + ":assumed-role/roadstead-node/" + k.ID
	case KeyRoot, "":
		return "arn:aws:iam::" + k.Account + ":root"
	}
	return k.UserARN
}

// AccountSetting is one ECS account setting of a principal, or of the whole account if Principal is "".
// Writer: api/ecs.
type AccountSetting struct {
	Scope
	Principal string `json:"principal,omitempty"` // ARN
	Name      string `json:"name"`
	Value     string `json:"value"`
}

// Key is the setting's row key.
func (a *AccountSetting) Key() string { return AccountSettingKey(a.Scope, a.Name, a.Principal) }

// AccountSettingKey is the row key of a setting.
func AccountSettingKey(s Scope, name, principal string) string { return s.Key(name, principal) }
