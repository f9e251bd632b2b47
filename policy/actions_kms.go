package policy

// KMS: a key, however it is named; operations on aliases are about the alias and its keys.
const (
	onKey      = "key/{key}"
	keyTags    = "aws:ResourceTag/* "
	ofKey      = keyTags + "kms:CallerAccount kms:ResourceAliases kms:ViaService "
	withKey    = ofKey + "kms:RequestAlias "
	encrypting = withKey + "kms:EncryptionAlgorithm kms:EncryptionContext kms:EncryptionContextKeys "
)

func kmsRows() []row {
	rows := []row{
		{"CreateKey", "", newTags + "kms:CallerAccount kms:KeySpec kms:KeyUsage kms:KeyOrigin kms:MultiRegion kms:BypassPolicyLockoutSafetyCheck kms:ViaService"},
		{"CreateAlias", "alias/{alias} " + onKey, ofKey},
		{"UpdateAlias", "alias/{alias} " + onKey, ofKey},
		{"DeleteAlias", "alias/{alias} " + onKey, ofKey},
		{"Encrypt", onKey, encrypting},
		{"Decrypt", onKey, encrypting},
		{"ReEncrypt", onKey, encrypting}, // as ReEncryptFrom and ReEncryptTo
		{"GenerateDataKey", onKey, encrypting},
		{"GenerateDataKeyWithoutPlaintext", onKey, encrypting},
		{"GenerateDataKeyPair", onKey, encrypting + "kms:DataKeyPairSpec"},
		{"GenerateDataKeyPairWithoutPlaintext", onKey, encrypting + "kms:DataKeyPairSpec"},
		{"DescribeKey", onKey, withKey},
		{"GetPublicKey", onKey, withKey},
		{"CreateGrant", onKey, ofKey + "kms:EncryptionContext kms:EncryptionContextKeys kms:GrantConstraintType kms:GranteePrincipal kms:GrantIsForAWSResource kms:GrantOperations kms:RetiringPrincipal"},
		{"ListGrants", onKey, ofKey + "kms:GrantIsForAWSResource"},
		{"RetireGrant", onKey, ofKey},
		{"RevokeGrant", onKey, ofKey + "kms:GrantIsForAWSResource"},
		{"Sign", onKey, withKey + "kms:SigningAlgorithm kms:MessageType"},
		{"Verify", onKey, withKey + "kms:SigningAlgorithm kms:MessageType"},
		{"GenerateMac", onKey, withKey + "kms:MacAlgorithm"},
		{"VerifyMac", onKey, withKey + "kms:MacAlgorithm"},
		{"GetParametersForImport", onKey, ofKey + "kms:WrappingAlgorithm kms:WrappingKeySpec"},
		{"ImportKeyMaterial", onKey, ofKey + "kms:ExpirationModel kms:ValidTo"},
		{"ScheduleKeyDeletion", onKey, ofKey + "kms:ScheduleKeyDeletionPendingWindowInDays"},
		{"EnableKeyRotation", onKey, ofKey + "kms:RotationPeriodInDays"},
		{"PutKeyPolicy", onKey, ofKey + "kms:BypassPolicyLockoutSafetyCheck"},
		{"TagResource", onKey, ofKey + newTags},
		{"UntagResource", onKey, ofKey + "aws:TagKeys"},
	}
	for _, name := range []string{
		"CancelKeyDeletion", "DeleteImportedKeyMaterial", "DisableKey", "DisableKeyRotation", "EnableKey", "GetKeyPolicy", "GetKeyRotationStatus", "ListKeyPolicies",
		"ListResourceTags", "UpdateKeyDescription",
	} {
		rows = append(rows, row{name, onKey, ofKey})
	}
	for _, name := range []string{"GenerateRandom", "ListAliases", "ListKeys", "ListRetirableGrants"} {
		rows = append(rows, row{name, "", ""})
	}
	return rows
}
