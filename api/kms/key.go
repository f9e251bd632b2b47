package kms

import (
	"cmp"
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Limits [D].
const (
	maxDescription  = 8192
	shortestWindow  = 7 // days
	longestWindow   = 30
	shortestRound   = 90
	longestRound    = 2560
	defaultRotation = 365
	day             = 24 * 3600 * 1000
)

// createKey makes a key.
func (a *api) createKey(ctx context.Context, in *sdk.CreateKeyInput) (*sdk.CreateKeyOutput, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	spec, usage, err := readSpec(in)
	if err != nil {
		return nil, err
	}
	row := &model.KMSKey{
		Scope: s, Spec: spec, Usage: usage, External: in.Origin == types.OriginTypeExternal, Description: deref(in.Description), CreatedAt: a.now(), Policy: deref(in.Policy),
	}
	if row.Policy == "" {
		row.Policy = defaultPolicy(s)
	} else if err := checkPolicy(row.Policy); err != nil {
		return nil, err
	}
	if len(row.Description) > maxDescription {
		return nil, tooLong()
	}
	if row.Tags, err = mergeTags(nil, in.Tags); err != nil {
		return nil, err
	}
	if err := a.ring.Furnish(row, a.now()); err != nil {
		return nil, err
	}
	if err := checkLockout(ctx, row, in.BypassPolicyLockoutSafetyCheck || in.Policy == nil); err != nil {
		return nil, err
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		tx.KMSKeys.Put(row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.CreateKeyOutput{KeyMetadata: a.metadata(row)}, nil
}

// readSpec finds the spec and the usage that a new key shall have, as rows have them, and refuses what is not served.
func readSpec(in *sdk.CreateKeyInput) (spec, usage string, err error) {
	spec, usage = string(in.KeySpec), string(in.KeyUsage)
	if old := string(in.CustomerMasterKeySpec); old != "" {
		if spec != "" && spec != old {
			return "", "", invalid("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.") // [O]
		}
		spec = old
	}
	switch {
	case in.Origin != "" && in.Origin != types.OriginTypeAwsKms && in.Origin != types.OriginTypeExternal, in.CustomKeyStoreId != nil, in.XksKeyId != nil:
		return "", "", unsupported("Roadstead does not serve key stores elsewhere.")
	case deref(in.MultiRegion):
		return "", "", unsupported("Roadstead does not serve multi-Region keys.")
	case spec == "", spec == string(types.KeySpecSymmetricDefault):
		if usage != "" && usage != keyring.Encrypts {
			return "", "", invalid("KeyUsage %s is not compatible with KeySpec SYMMETRIC_DEFAULT", usage) // [O]
		}
		return "", "", nil
	case usage == "":
		return "", "", invalid("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.") // [O]
	}
	switch names, ok := keyring.Algorithms(spec, usage); {
	case !ok, usage == string(types.KeyUsageTypeKeyAgreement):
		return "", "", unsupported("Roadstead does not serve the key spec %s with the usage %s.", spec, usage)
	case names == nil:
		return "", "", invalid("KeyUsage %s is not compatible with KeySpec %s", usage, spec) // [O]
	case in.Origin == types.OriginTypeExternal && strings.HasPrefix(spec, "RSA_"):
		return "", "", unsupported("Roadstead does not serve importing material of the key spec %s.", spec)
	}
	return spec, usage, nil
}

func tooLong() error {
	return invalid("1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to %d", maxDescription)
}

func (a *api) describeKey(ctx context.Context, in *sdk.DescribeKeyInput) (*sdk.DescribeKeyOutput, error) {
	row, err := a.look(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	return &sdk.DescribeKeyOutput{KeyMetadata: a.metadata(row)}, nil
}

// metadata is a key as answers describe it.
func (a *api) metadata(row *model.KMSKey) *types.KeyMetadata {
	m := &types.KeyMetadata{
		KeyId: aws.String(row.ID), Arn: aws.String(row.ARN()), AWSAccountId: aws.String(row.Account), CreationDate: moment(row.CreatedAt),
		Description: aws.String(row.Description), Enabled: row.Usable() == nil, KeyManager: types.KeyManagerTypeCustomer, KeyState: stateOf(row),
		KeySpec: types.KeySpec(specOf(row)), CustomerMasterKeySpec: types.CustomerMasterKeySpec(specOf(row)), KeyUsage: types.KeyUsageType(usageOf(row)),
		Origin: types.OriginTypeAwsKms, MultiRegion: aws.Bool(false), DeletionDate: moment(row.GoneAt),
	}
	m.EncryptionAlgorithms, m.SigningAlgorithms, m.MacAlgorithms = algorithmsOf(row)
	if row.External {
		m.Origin = types.OriginTypeExternal
		m.ExpirationModel, m.ValidTo = expirationOf(row), moment(row.MaterialExpires())
		m.CurrentKeyMaterialId = materialID(row)
	}
	if row.AWS != "" {
		m.KeyManager = types.KeyManagerTypeAws
	}
	return m
}

func specOf(row *model.KMSKey) string { return cmp.Or(row.Spec, string(types.KeySpecSymmetricDefault)) }

func usageOf(row *model.KMSKey) string { return cmp.Or(row.Usage, keyring.Encrypts) }

// algorithmsOf are those that a key has, of its usage.
func algorithmsOf(row *model.KMSKey) (encrypts []types.EncryptionAlgorithmSpec, signs []types.SigningAlgorithmSpec, macs []types.MacAlgorithmSpec) {
	if row.Spec == "" {
		return []types.EncryptionAlgorithmSpec{types.EncryptionAlgorithmSpecSymmetricDefault}, nil, nil
	}
	names, _ := keyring.Algorithms(row.Spec, row.Usage)
	for _, name := range names {
		switch row.Usage {
		case keyring.Encrypts:
			encrypts = append(encrypts, types.EncryptionAlgorithmSpec(name))
		case keyring.Signs:
			signs = append(signs, types.SigningAlgorithmSpec(name))
		case keyring.Macs:
			macs = append(macs, types.MacAlgorithmSpec(name))
		}
	}
	return encrypts, signs, macs
}

func stateOf(row *model.KMSKey) types.KeyState {
	switch {
	case row.GoneAt != 0:
		return types.KeyStatePendingDeletion
	case row.AwaitsMaterial():
		return types.KeyStatePendingImport
	case row.Disabled:
		return types.KeyStateDisabled
	}
	return types.KeyStateEnabled
}

func (a *api) listKeys(ctx context.Context, in *sdk.ListKeysInput) (*sdk.ListKeysOutput, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	var rows []*model.KMSKey
	for row := range a.DB.Snapshot().KMSKeys.Prefix(s.Key("")) {
		if row.GoneAt == 0 || row.GoneAt > a.now() {
			rows = append(rows, row)
		}
	}
	page, next, err := pageOf("ListKeys", s, rows, (*model.KMSKey).Key, in.Limit, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &sdk.ListKeysOutput{Keys: []types.KeyListEntry{}, NextMarker: next, Truncated: next != nil}
	for _, row := range page {
		out.Keys = append(out.Keys, types.KeyListEntry{KeyId: aws.String(row.ID), KeyArn: aws.String(row.ARN())})
	}
	return out, nil
}

func (a *api) updateKeyDescription(ctx context.Context, in *sdk.UpdateKeyDescriptionInput) (*sdk.UpdateKeyDescriptionOutput, error) {
	if len(deref(in.Description)) > maxDescription {
		return nil, tooLong()
	}
	_, err := a.edit(ctx, in.KeyId, func(row *model.KMSKey) error {
		row.Description = deref(in.Description)
		return waits(row)
	})
	return &sdk.UpdateKeyDescriptionOutput{}, err
}

func (a *api) enableKey(ctx context.Context, in *sdk.EnableKeyInput) (*sdk.EnableKeyOutput, error) {
	_, err := a.edit(ctx, in.KeyId, func(row *model.KMSKey) error {
		row.Disabled = false
		return works(row)
	})
	return &sdk.EnableKeyOutput{}, err
}

func (a *api) disableKey(ctx context.Context, in *sdk.DisableKeyInput) (*sdk.DisableKeyOutput, error) {
	_, err := a.edit(ctx, in.KeyId, func(row *model.KMSKey) error {
		row.Disabled = true
		return works(row)
	})
	return &sdk.DisableKeyOutput{}, err
}

func (a *api) scheduleKeyDeletion(ctx context.Context, in *sdk.ScheduleKeyDeletionInput) (*sdk.ScheduleKeyDeletionOutput, error) {
	window := int32(longestWindow)
	if in.PendingWindowInDays != nil {
		window = *in.PendingWindowInDays
	}
	if window < shortestWindow || window > longestWindow {
		return nil, invalid("PendingWindowInDays must be between %d and %d (inclusive).", shortestWindow, longestWindow) // [I]
	}
	row, err := a.edit(ctx, in.KeyId, func(row *model.KMSKey) error {
		if err := waits(row); err != nil {
			return err
		}
		row.GoneAt, row.WindowDays = a.now()+int64(window)*day, window
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.ScheduleKeyDeletionOutput{KeyId: aws.String(row.ARN()), DeletionDate: moment(row.GoneAt), KeyState: stateOf(row), PendingWindowInDays: &window}, nil
}

// cancelKeyDeletion leaves the key disabled [D].
func (a *api) cancelKeyDeletion(ctx context.Context, in *sdk.CancelKeyDeletionInput) (*sdk.CancelKeyDeletionOutput, error) {
	row, err := a.edit(ctx, in.KeyId, func(row *model.KMSKey) error {
		if row.GoneAt == 0 {
			return model.Errorf("KMSInvalidStateException", "%s is not pending deletion.", row.ARN()) // [O]
		}
		row.GoneAt, row.WindowDays, row.Disabled = 0, 0, true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.CancelKeyDeletionOutput{KeyId: aws.String(row.ARN())}, nil
}
