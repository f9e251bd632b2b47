package keyring

import (
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Sealer encrypts what is kept in rows, for the row with the name.
type Sealer interface {
	Seal(plain []byte, row string) []byte
	Open(sealed []byte, row string) ([]byte, error)
}

// Ring uses the keys that stand in rows.
type Ring struct {
	Seal   Sealer
	Random io.Reader // of ids and materials
}

// Furnish gives a new key its id and its first material, unless its owner brings that.
func (r *Ring) Furnish(row *model.KMSKey, now model.Millis) error {
	id, err := uuid.NewRandomFromReader(r.Random)
	if err != nil {
		return err
	}
	row.ID = id.String()
	if row.External {
		return nil
	}
	return r.renew(row, now)
}

// renew gives a key its next material.
func (r *Ring) renew(row *model.KMSKey, now model.Millis) error {
	material := make([]byte, MaterialBytes)
	var err error
	if s, ok := kindOf(row.Spec); ok {
		material, err = s.make(r.Random)
	} else {
		_, err = io.ReadFull(r.Random, material)
	}
	if err != nil {
		return err
	}
	n := len(row.Materials)
	next := model.KMSMaterial{Sealed: r.Seal.Seal(material, materialName(row, n)), CreatedAt: now}
	row.Materials = append(row.Materials[:n:n], next)
	return nil
}

// materialName is what a material is sealed for.
func materialName(row *model.KMSKey, version int) string {
	return fmt.Sprintf("%s#%d", row.Key(), version)
}

func (r *Ring) material(row *model.KMSKey, version int) ([]byte, error) {
	return r.Seal.Open(row.Materials[version].Sealed, materialName(row, version))
}

// Due says whether the key's rotation is due.
func Due(row *model.KMSKey, now model.Millis) bool {
	return row.RotateDays != 0 && NextRotation(row) <= now
}

// NextRotation is a period after the last one, or after rotation was switched on.
func NextRotation(row *model.KMSKey) model.Millis {
	const day = 24 * 3600 * 1000
	last := row.Materials[len(row.Materials)-1].CreatedAt
	return max(last, row.RotateFrom) + int64(row.RotateDays)*day
}

// Fresh returns the key, after its rotation if that is due: nobody can tell when a key that is not used was rotated.
func (r *Ring) Fresh(tx *state.Tx, row *model.KMSKey, now model.Millis) (*model.KMSKey, error) {
	if !Due(row, now) {
		return row, nil
	}
	next := *row
	if err := r.renew(&next, now); err != nil {
		return nil, err
	}
	tx.KMSKeys.Put(&next)
	return &next, nil
}

// Encrypt makes a blob of a text with the newest material of a key that is Usable and fresh.
func (r *Ring) Encrypt(row *model.KMSKey, plain []byte, context map[string]string) ([]byte, error) {
	version := len(row.Materials) - 1
	material, err := r.material(row, version)
	if err != nil {
		return nil, err
	}
	return blob(Ref{row.Account, row.ID, version}, material, plain, context)
}

// Decrypt opens a blob of the key. ErrDamaged says that it is none, or that it was encrypted with another context.
func (r *Ring) Decrypt(row *model.KMSKey, blob []byte, context map[string]string) ([]byte, error) {
	by, ok := Encrypted(blob)
	if !ok || by.Key != row.ID || by.Version >= len(row.Materials) || by.Account != "" && by.Account != row.Account {
		return nil, ErrDamaged
	}
	material, err := r.material(row, by.Version)
	if err != nil {
		return nil, err
	}
	return openBlob(material, blob, context)
}

// awsPrefix is how aliases of AWS managed keys begin.
const awsPrefix = "alias/aws/"

// defaultRotation is how many days the material of an AWS managed key gets old [D].
const defaultRotation = 365

// ManagedBy is the service whose AWS managed key somebody in the scope names by its alias, "" if it is none of those that are served here.
func ManagedBy(s model.Scope, id string) string {
	service, ok := strings.CutPrefix(strings.TrimPrefix(id, s.ARN("kms", "")), awsPrefix)
	if ok && (service == "ssm" || service == "secretsmanager") {
		return service
	}
	return ""
}

// Managed returns the AWS managed key of a service, which is made by its first use [D].
func (r *Ring) Managed(tx *state.Tx, s model.Scope, service string, now model.Millis) (*model.KMSKey, error) {
	name := awsPrefix + service
	if row, err := tx.FindKMSKey(s, name, now); err == nil {
		return row, nil
	}
	row := &model.KMSKey{
		Scope: s, AWS: service, Description: managedDescription(service), CreatedAt: now, Policy: managedPolicy(s, service), RotateDays: defaultRotation, RotateFrom: now,
	}
	if err := r.Furnish(row, now); err != nil {
		return nil, err
	}
	tx.KMSKeys.Put(row)
	tx.KMSAliases.Put(&model.KMSAlias{Scope: s, Name: name, KeyID: row.ID, CreatedAt: now, ChangedAt: now})
	return row, nil
}

// managedPolicy is that of an AWS managed key: everybody in the account uses it through the service, and its account looks at it [D].
func managedPolicy(s model.Scope, service string) string {
	return `{"Version":"2012-10-17","Id":"auto-` + service + `-1","Statement":[` +
		`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*",` +
		`"Condition":{"StringEquals":{"kms:CallerAccount":"` + s.Account + `","kms:ViaService":"` + service + `.` + s.Region + `.amazonaws.com"}}},` +
		`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + s.Account + `:root"},"Action":["kms:Describe*","kms:Get*","kms:List*"],"Resource":"*"}]}`
}

func managedDescription(service string) string {
	if service == "ssm" {
		return "Default key that protects my SSM parameters when no other key is defined" // [O]
	}
	return "Default key that protects my Secrets Manager data when no other key is defined" // [O]
}
