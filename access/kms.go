package access

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
)

// kmsTargets are the keys and the alias that a request names. A ciphertext names its key too, which is decided about whatever else
// the request says.
func (d *decider) kmsTargets() []target {
	if len(d.op.Resources) == 0 {
		return d.plain(nil)
	}
	var out []target
	if name := d.one("aliasName"); name != "" {
		scope := d.Principal.Scope()
		out = append(out, target{arn: scope.ARN("kms", name)})
		if row, ok := d.tables.KMSAliases.Get(scope.Key(name)); ok {
			out = append(out, d.kmsKey(row.KeyID))
		}
	}
	action := ""
	if d.Operation == "ReEncrypt" {
		action = "kms:ReEncryptFrom"
	}
	refs := d.every("keyId", "targetKeyId", "sourceKeyId")
	if token := d.one("grantToken"); token != "" {
		key, _ := GrantToken(token)
		refs = append(refs, cmp.Or(key, token))
	}
	if by, ok := keyring.Encrypted(blobOf(d.Input)); ok {
		scope := d.Principal.Scope()
		if by.Account != "" {
			scope.Account = by.Account
		}
		refs = append(refs, scope.ARN("kms", "key/"+by.Key))
	}
	for _, ref := range refs {
		t := d.kmsKey(ref)
		t.action = action
		out = append(out, t)
	}
	for _, ref := range d.every("destinationKeyId") {
		t := d.kmsKey(ref)
		t.action = "kms:ReEncryptTo"
		out = append(out, t)
	}
	if out == nil { // a ciphertext of no key, which will be refused
		out = d.plain(nil)
	}
	return out
}

// kmsKey is the key that a request names in one of its four ways, with its policy. One that is not there goes by what was said.
func (d *decider) kmsKey(ref string) target {
	scope := d.Principal.Scope()
	t := target{arn: ref}
	switch {
	case strings.HasPrefix(ref, "arn:"):
	case strings.HasPrefix(ref, "alias/"):
		t.arn = scope.ARN("kms", ref)
	default:
		t.arn = scope.ARN("kms", "key/"+ref)
	}
	if row := d.tables.KMSKeyByID(scope, ref); row != nil {
		t.arn, t.tags = row.ARN(), row.Tags
		var err error
		if t.policy, err = d.compiled.get(policy.KeyPolicy, t.arn, row.Policy); err != nil {
			t.policy = policy.Empty(policy.KeyPolicy, t.arn) // one that cannot be read names nobody
		}
		t.around, _ = d.grants(row) // likewise
	}
	return t
}

// blobOf is the member CiphertextBlob of a request.
func blobOf(input any) []byte {
	if f := reflect.Indirect(reflect.ValueOf(input)).FieldByName("CiphertextBlob"); f.IsValid() && f.Kind() == reflect.Slice {
		return f.Bytes()
	}
	return nil
}

// kmsFacts sets the condition keys of KMS that are no single member: the encryption context is a key for each of its pairs.
func (d *decider) kmsFacts(c *policy.Context, key string, t target) {
	switch key {
	case "kms:ViaService":
		if d.Via != "" {
			c.Set(key, d.Via+"."+d.Principal.Region+".amazonaws.com")
		}
	case "kms:GrantConstraintType":
		switch {
		case policy.Given(d.Input, "constraints.encryptionContextEquals"):
			c.Set(key, "EncryptionContextEquals")
		case policy.Given(d.Input, "constraints.encryptionContextSubset"):
			c.Set(key, "EncryptionContextSubset")
		}
	case "kms:GrantIsForAWSResource":
		c.Set(key, strconv.FormatBool(d.Via != ""))
	case "kms:DataKeyPairSpec":
		if spec := d.one("keyPairSpec"); spec != "" {
			c.Set(key, spec)
		}
	case "kms:ValidTo":
		if at, ok := value[*time.Time](reflect.Indirect(reflect.ValueOf(d.Input)).FieldByName("ValidTo")); ok && at != nil {
			c.Set(key, at.UTC().Format(time.RFC3339))
		}
	case "kms:CallerAccount":
		c.Set(key, d.Principal.Account)
	case "kms:RequestAlias":
		if ref := d.one("keyId"); strings.Contains(ref, "alias/") {
			c.Set(key, ref[strings.Index(ref, "alias/"):])
		}
	case "kms:ResourceAliases":
		if names := d.aliasesOf(t.arn); names != nil {
			c.Set(key, names...)
		}
	case "kms:EncryptionContext":
		for name, value := range d.encryptionContext(t) {
			c.Set("kms:EncryptionContext:"+name, value)
		}
	case "kms:EncryptionContextKeys":
		if names := slices.Sorted(maps.Keys(d.encryptionContext(t))); names != nil {
			c.Set(key, names...)
		}
	}
}

func (d *decider) aliasesOf(arn string) (names []string) {
	parsed, ok := model.ParseARN(arn)
	if !ok {
		return nil
	}
	for row := range d.tables.KMSAliases.Prefix(parsed.Key("")) {
		if "key/"+row.KeyID == parsed.Tail {
			names = append(names, row.Name)
		}
	}
	return names
}

// encryptionContext is that of the side of the request that the target is on.
func (d *decider) encryptionContext(t target) map[string]string {
	member := "EncryptionContext"
	switch t.action {
	case "kms:ReEncryptFrom":
		member = "SourceEncryptionContext"
	case "kms:ReEncryptTo":
		member = "DestinationEncryptionContext"
	}
	in := reflect.Indirect(reflect.ValueOf(d.Input))
	if d.Operation == "CreateGrant" { // that which the grant will ask for
		in, member = reflect.Indirect(in.FieldByName("Constraints")), "EncryptionContextSubset"
		if policy.Given(d.Input, "constraints.encryptionContextEquals") {
			member = "EncryptionContextEquals"
		}
	}
	if !in.IsValid() {
		return nil
	}
	if f := in.FieldByName(member); f.IsValid() {
		context, _ := reflect.TypeAssert[map[string]string](f)
		return context
	}
	return nil
}
