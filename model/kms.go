package model

import "slices"

// KMSKey is a key of KMS. Writer: api/kms; controller/reap deletes it.
type KMSKey struct {
	Scope
	ID          string `json:"id"` // a uuid
	Description string `json:"description,omitempty"`
	// Spec is what the key is made for, "" for SYMMETRIC_DEFAULT, and Usage what it may do, "" for ENCRYPT_DECRYPT.
	Spec  string `json:"spec,omitempty"`
	Usage string `json:"usage,omitempty"`

	AWS       string `json:"aws,omitempty"` // the service whose AWS managed key it is: "ssm"; "" for a customer's
	Disabled  bool   `json:"disabled,omitempty"`
	CreatedAt Millis `json:"createdAt"`
	// GoneAt is when it will be deleted, 0 if that was not asked for; WindowDays is how long it waits for that.
	GoneAt     Millis `json:"goneAt,omitempty"`
	WindowDays int32  `json:"windowDays,omitempty"`
	// RotateDays is how old its material may get, 0 for any age.
	RotateDays int32  `json:"rotateDays,omitempty"`
	RotateFrom Millis `json:"rotateFrom,omitempty"` // when its rotation was switched on
	Policy     string `json:"policy"`
	Tags       []Tag  `json:"tags,omitempty"`
	// External says that the key's owner brings its material: it has none before that, and one for ever after, which may be gone.
	External bool `json:"external,omitempty"`
	// Materials encrypt, the last one, and decrypt, all of them. Keys that are not symmetric have one, and never another.
	Materials []KMSMaterial `json:"materials"`
}

// KMSMaterial is what a key encrypts with, from its creation to its rotation.
type KMSMaterial struct {
	Sealed    []byte `json:"sealed"` // empty if it was brought and is gone
	CreatedAt Millis `json:"createdAt"`

	// What is below is of a material that was brought, and outlives it.
	ID          string `json:"id,omitempty"`          // 64 hex digits
	Print       []byte `json:"print,omitempty"`       // says of another whether it is the same; sealed
	Description string `json:"description,omitempty"` // its owner's
	ExpiresAt   Millis `json:"expiresAt,omitempty"`   // when it is gone, 0 for never
}

// Key is the key's row key.
func (k *KMSKey) Key() string { return k.Scope.Key(k.ID) }

// ARN is the key's Amazon resource name.
func (k *KMSKey) ARN() string { return k.Scope.ARN("kms", "key/"+k.ID) }

// Serves is what KMS refuses an operation of a usage with that the key is not for, nil if it is for that (wording [O]).
func (k *KMSKey) Serves(operation, usage string) error {
	have := k.Usage
	if have == "" {
		have = "ENCRYPT_DECRYPT"
	}
	if have != usage {
		return Errorf("InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", k.ARN(), have, operation)
	}
	return nil
}

// AwaitsMaterial says whether the key's owner has yet to bring its material, for the first time or again.
func (k *KMSKey) AwaitsMaterial() bool {
	return k.External && (len(k.Materials) == 0 || len(k.Materials[0].Sealed) == 0)
}

// MaterialExpires is when the material that the key has is gone, 0 if that is never.
func (k *KMSKey) MaterialExpires() Millis {
	if !k.External || k.AwaitsMaterial() {
		return 0
	}
	return k.Materials[0].ExpiresAt
}

// At is the key at a time: without a material that has expired by then.
func (k *KMSKey) At(now Millis) *KMSKey {
	if end := k.MaterialExpires(); end == 0 || end > now {
		return k
	}
	return k.WithoutMaterial()
}

// WithoutMaterial is a key whose material was brought after that is gone.
func (k *KMSKey) WithoutMaterial() *KMSKey {
	c := *k
	c.Materials = slices.Clone(k.Materials)
	for i := range c.Materials {
		c.Materials[i].Sealed, c.Materials[i].ExpiresAt = nil, 0
	}
	return &c
}

// Usable is what KMS refuses to encrypt with the key with, nil if it does not: KMSInvalidStateException, DisabledException (wordings [O]).
func (k *KMSKey) Usable() error {
	switch {
	case k.GoneAt != 0:
		return Errorf("KMSInvalidStateException", "%s is pending deletion.", k.ARN())
	case k.AwaitsMaterial():
		return Errorf("KMSInvalidStateException", "%s is pending import.", k.ARN())
	case k.Disabled:
		return Errorf("DisabledException", "%s is disabled.", k.ARN())
	}
	return nil
}

// KMSAlias is another name of a key of KMS. Writer: as of KMSKey.
type KMSAlias struct {
	Scope
	Name      string `json:"name"` // "alias/app", and may hold more "/"
	KeyID     string `json:"keyId"`
	CreatedAt Millis `json:"createdAt"`
	ChangedAt Millis `json:"changedAt"`
}

// Key is the alias's row key.
func (a *KMSAlias) Key() string { return a.Scope.Key(a.Name) }

// ARN is the alias's Amazon resource name.
func (a *KMSAlias) ARN() string { return a.Scope.ARN("kms", a.Name) }

// KMSGrant lets a principal use a key beside the key's policy. It never changes. Writer: as of KMSKey.
type KMSGrant struct {
	Scope
	KeyID      string   `json:"keyId"`
	ID         string   `json:"id"` // 64 hex digits
	Name       string   `json:"name,omitempty"`
	Grantee    string   `json:"grantee"`            // ARN of a user, role, session or account
	Retiring   string   `json:"retiring,omitempty"` // ARN of who may retire it, besides
	Issuer     string   `json:"issuer"`             // ARN of the account of whoever made it
	Operations []string `json:"operations"`         // "Decrypt"
	// Equals is the encryption context that requests have to have, or Subset what theirs has to contain; nil for any.
	Equals    map[string]string `json:"equals,omitempty"`
	Subset    map[string]string `json:"subset,omitempty"`
	CreatedAt Millis            `json:"createdAt"`
}

// Key is the grant's row key: those of a key stand together.
func (g *KMSGrant) Key() string { return g.Scope.Key(g.KeyID, g.ID) }
