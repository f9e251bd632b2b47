package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Groups whose events are encrypted with a key of KMS, which CloudWatch Logs uses in its own name (docs/decisions/044).

// dataKeyLife is how long what comes into a group is encrypted with the same data key.
const dataKeyLife = 24 * time.Hour

// groupKey is the data key that a group has now.
type groupKey struct {
	of    string // ARN of the key of KMS
	key   *logstore.Key
	until model.Millis
}

// wrappedKey is how a data key stands beside what it encrypts: the group says its encryption context, and who is asked.
type wrappedKey struct {
	Group string `json:"group"` // ARN
	Key   []byte `json:"key"`   // a blob of KMS
}

// keyContext is the encryption context of a group's data keys [D].
func keyContext(group string) map[string]string { return map[string]string{"aws:logs:arn": group} }

// asService is CloudWatch Logs at work for an account.
func asService(ctx context.Context, s model.Scope) context.Context {
	return auth.WithPrincipal(ctx, auth.Principal{Account: s.Account, Region: s.Region, Service: "logs"})
}

// refusedByKMS is what CloudWatch Logs says of a key that it cannot use for a group. The documentation has the codes for AssociateKmsKey;
// that others answer so too is inferred.
func refusedByKMS(err error, group string) error {
	switch model.ErrorCode(err) {
	case "NotFoundException", "AccessDeniedException":
		return model.Errorf("AccessDeniedException", "The specified KMS key does not exist or is not allowed to be used with Arn '%s'", group) // [O]
	case "DisabledException", "KMSInvalidStateException", "InvalidKeyUsageException": // [D]
		return invalid("The specified KMS key cannot be used with Arn '%s': %v", group, err) // [I]
	}
	return err
}

// dataKey returns what events that come into a group now are to be encrypted with, nil for nothing. The key of KMS is asked about
// each time: once it is disabled, or its policy changed, the group takes no more.
func (a *API) dataKey(ctx context.Context, row *model.LogGroup) (*logstore.Key, error) {
	if row.KMSKey == "" {
		return nil, nil
	}
	ctx = asService(ctx, row.Scope)
	now, group := a.now(), row.ARN()
	t := a.DB.Snapshot().Tables
	key, err := t.FindKMSKey(row.Scope, row.KMSKey, now)
	if err == nil {
		err = a.Keys.Try(ctx, t, key, keyContext(group))
	}
	if err != nil {
		return nil, refusedByKMS(err, group)
	}
	a.mu.Lock()
	have := a.keys[row.ID]
	a.mu.Unlock()
	if have.of == key.ARN() && now < have.until && !have.key.Worn() {
		return have.key, nil
	}
	next := groupKey{of: key.ARN(), until: now + dataKeyLife.Milliseconds()}
	if next.key, err = a.newDataKey(ctx, row, now); err != nil {
		return nil, refusedByKMS(err, group)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[row.ID] = next
	return next.key, nil
}

// newDataKey makes a data key. It is an update because a rotation of the key may be due.
func (a *API) newDataKey(ctx context.Context, row *model.LogGroup, now model.Millis) (*logstore.Key, error) {
	w := wrappedKey{Group: row.ARN()}
	var plain []byte
	err := a.DB.Update(ctx, func(tx *state.Tx) error {
		key, err := a.Keys.Key(tx, row.Scope, row.KMSKey, now)
		if err != nil {
			return err
		}
		plain, w.Key, err = a.Keys.DataKey(ctx, tx.Tables, key, keyContext(w.Group))
		return err
	})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	return logstore.NewKey(plain, text)
}

// OpenKey opens a data key that stands beside events, for the log store: as long as the key of KMS can be used, and lets CloudWatch
// Logs do so. One whose key was deleted is gone.
func (a *API) OpenKey(text []byte) ([]byte, error) {
	var w wrappedKey
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, fmt.Errorf("read a data key of log events: %w", err)
	}
	group, ok := model.ParseARN(w.Group)
	if !ok {
		return nil, fmt.Errorf("a data key of log events is of the group %q", w.Group)
	}
	ctx := asService(context.Background(), group.Scope) // only memory is asked: there is nothing to wait for
	plain, err := a.Keys.Unwrap(ctx, a.DB.Snapshot().Tables, group.Scope, w.Key, keyContext(w.Group), a.now())
	if model.ErrorCode(err) == "NotFoundException" && a.DB.Leading() { // other members may not have heard of the key yet
		return nil, logstore.Gone(refusedByKMS(err, w.Group))
	}
	return plain, refusedByKMS(err, w.Group)
}

// associate puts the key into a group's row, if CloudWatch Logs may use it for that.
func (a *API) associate(ctx context.Context, tx *state.Tx, row *model.LogGroup, id string) error {
	if arn, ok := model.ParseARN(id); !ok || arn.Service != "kms" || !strings.HasPrefix(arn.Tail, "key/") { // an alias may go elsewhere later
		return invalid("The specified KMS Key Id could not be found. '%s'", row.Name) // [O]
	}
	key, err := a.Keys.Key(tx, row.Scope, id, a.now())
	if err == nil {
		err = a.Keys.Try(asService(ctx, row.Scope), tx.Tables, key, keyContext(row.ARN()))
	}
	if err != nil {
		return refusedByKMS(err, row.ARN())
	}
	row.KMSKey = key.ARN()
	return nil
}

// keyedGroup is the name of the group that a request about a key means.
func keyedGroup(s model.Scope, name, identifier *string) (*string, error) {
	switch {
	case name != nil && identifier != nil:
		return nil, invalid("LogGroupName and ResourceIdentifier cannot be specified at the same time.") // [D] the rule, [I] the words
	case name == nil && identifier == nil:
		return nil, invalid("Either LogGroupName or ResourceIdentifier must be specified.") // [D] the rule, [I] the words
	case name != nil:
		return name, nil
	}
	if arn, ok := model.ParseARN(*identifier); ok && strings.HasPrefix(arn.Tail, "query-result:") {
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead keeps results of queries in memory only.")
	}
	plain, err := groupOf(s, *identifier)
	return &plain, err
}

func (a *API) associateKmsKey(ctx context.Context, in *cloudwatchlogs.AssociateKmsKeyInput) (*cloudwatchlogs.AssociateKmsKeyOutput, error) {
	return &cloudwatchlogs.AssociateKmsKeyOutput{}, a.rekey(ctx, in.LogGroupName, in.ResourceIdentifier, func(tx *state.Tx, row *model.LogGroup) error {
		return a.associate(ctx, tx, row, *in.KmsKeyId)
	})
}

// disassociateKmsKey leaves what is encrypted as it is: that needs the key for as long as it is there [D].
func (a *API) disassociateKmsKey(ctx context.Context, in *cloudwatchlogs.DisassociateKmsKeyInput) (*cloudwatchlogs.DisassociateKmsKeyOutput, error) {
	return &cloudwatchlogs.DisassociateKmsKeyOutput{}, a.rekey(ctx, in.LogGroupName, in.ResourceIdentifier, func(_ *state.Tx, row *model.LogGroup) error {
		row.KMSKey = ""
		return nil
	})
}

// rekey changes the key of a group.
func (a *API) rekey(ctx context.Context, name, identifier *string, f func(*state.Tx, *model.LogGroup) error) error {
	s, err := caller(ctx)
	if err != nil {
		return err
	}
	if name, err = keyedGroup(s, name, identifier); err != nil {
		return err
	}
	return a.alter(ctx, name, f)
}
