package ecs

import (
	"context"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// setting is an account setting: the values it takes and the one it has if nobody sets it.
type setting struct {
	name, initial string
	values        []string
	managed       bool // only AWS writes it
}

// accountSettings are the settings in the order of their names (SEMANTICS §2.8). The initial values of the long-ARN
// settings are [D], the others [I].
func accountSettings() []setting {
	onOff, able := []string{"on", "off"}, []string{"enabled", "disabled"}
	return []setting{
		{name: "awsvpcTrunking", initial: "disabled", values: able},
		{name: "containerInsights", initial: "disabled", values: []string{"enabled", "disabled", "enhanced"}},
		{name: "containerInstanceLongArnFormat", initial: "enabled", values: able},
		{name: "defaultLogDriverMode", initial: "non-blocking", values: []string{"blocking", "non-blocking"}},
		{name: "dualStackIPv6", initial: "enabled", values: able},
		{name: "fargateEventWindows", initial: "disabled", values: able},
		{name: "fargateFIPSMode", initial: "disabled", values: able},
		{name: "fargateTaskRetirementWaitPeriod", initial: "7", values: []string{"0", "7", "14"}},
		{name: "guardDutyActivate", initial: "off", values: onOff, managed: true},
		{name: "serviceLongArnFormat", initial: "enabled", values: able},
		{name: "tagResourceAuthorization", initial: "on", values: onOff},
		{name: "taskLongArnFormat", initial: "enabled", values: able},
	}
}

// settingNamed returns the setting, or the refusal that lists the names there are [O].
func settingNamed(name string) (setting, error) {
	var names []string
	for _, s := range accountSettings() {
		if s.name == name {
			return s, nil
		}
		names = append(names, s.name)
	}
	return setting{}, invalid("Unknown setting name '%s'. Valid names: [%s]", name, strings.Join(names, ", "))
}

// view shows the setting with a value, as a principal has it.
func (s setting) view(scope model.Scope, principal, v string) types.Setting {
	if principal == "" {
		principal = rootARN(scope)
	}
	kind := types.SettingTypeUser
	if s.managed {
		kind = types.SettingTypeAwsManaged
	}
	return types.Setting{Name: types.SettingName(s.name), Value: &v, PrincipalArn: &principal, Type: kind}
}

// rootARN is how the account's root user shows; its settings are those of the whole account (SEMANTICS §2.8) [D].
func rootARN(s model.Scope) string { return "arn:aws:iam::" + s.Account + ":root" }

// settingPrincipal returns whose settings a call means: "" is the whole account.
func settingPrincipal(who auth.Principal, ref *string) (string, error) {
	arn := value(ref)
	switch {
	case arn == "":
		arn = who.ARN
	case arn == "root":
		return "", nil
	}
	if arn == rootARN(who.Scope()) {
		return "", nil
	}
	p, ok := model.ParseARN(arn)
	if !ok || p.Service != "iam" && p.Service != "sts" || p.Account != who.Account {
		return "", invalid("Invalid principal ARN '%s'.", arn) // [I]
	}
	return arn, nil
}

// effectiveSetting returns the value that holds for a principal: its own, else the account's, else the initial one.
func effectiveSetting(t *state.Tables, s model.Scope, principal, name string) string {
	for _, of := range []string{principal, ""} {
		if row, ok := t.AccountSettings.Get(model.AccountSettingKey(s, name, of)); ok {
			return row.Value
		}
	}
	found, _ := settingNamed(name)
	return found.initial
}

func (a *api) putSetting(ctx context.Context, in *sdk.PutAccountSettingInput) (*sdk.PutAccountSettingOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	of, err := settingPrincipal(who, in.PrincipalArn)
	if err != nil {
		return nil, err
	}
	v, err := a.writeSetting(ctx, who.Scope(), of, string(in.Name), value(in.Value))
	return &sdk.PutAccountSettingOutput{Setting: v}, err
}

func (a *api) putSettingDefault(ctx context.Context, in *sdk.PutAccountSettingDefaultInput) (*sdk.PutAccountSettingDefaultOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	v, err := a.writeSetting(ctx, who.Scope(), "", string(in.Name), value(in.Value))
	return &sdk.PutAccountSettingDefaultOutput{Setting: v}, err
}

func (a *api) writeSetting(ctx context.Context, s model.Scope, of, name, v string) (*types.Setting, error) {
	known, err := settingNamed(name)
	switch {
	case err != nil:
		return nil, err
	case known.managed:
		return nil, invalid("The setting '%s' is managed by AWS and cannot be changed.", name) // [I]
	case !slices.Contains(known.values, v):
		return nil, invalid("Invalid value '%s' for the setting '%s'. Valid values: [%s]", v, name, strings.Join(known.values, ", ")) // [I]
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		tx.AccountSettings.Put(&model.AccountSetting{Scope: s, Principal: of, Name: name, Value: v})
		return nil
	})
	view := known.view(s, of, v)
	return &view, err
}

// deleteSetting forgets what the principal set, and shows what holds for it then [I].
func (a *api) deleteSetting(ctx context.Context, in *sdk.DeleteAccountSettingInput) (*sdk.DeleteAccountSettingOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	known, err := settingNamed(string(in.Name))
	if err != nil {
		return nil, err
	}
	of, err := settingPrincipal(who, in.PrincipalArn)
	if err != nil {
		return nil, err
	}
	var left string
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		tx.AccountSettings.Delete(model.AccountSettingKey(who.Scope(), known.name, of))
		left = effectiveSetting(tx.Tables, who.Scope(), of, known.name)
		return nil
	})
	view := known.view(who.Scope(), of, left)
	return &sdk.DeleteAccountSettingOutput{Setting: &view}, err
}

// listSettings lists what is set for the principal, or with effectiveSettings what holds for it (SEMANTICS §2.8).
func (a *api) listSettings(ctx context.Context, in *sdk.ListAccountSettingsInput) (*sdk.ListAccountSettingsOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	of, err := settingPrincipal(who, in.PrincipalArn)
	if err != nil {
		return nil, err
	}
	if in.Name != "" {
		if _, err := settingNamed(string(in.Name)); err != nil {
			return nil, err
		}
	} else if in.Value != nil {
		return nil, invalid("To filter by value you must also specify a setting name.") // [D: value needs name]
	}
	limit := int32(10) // SEMANTICS §1.2: 10 by default, up to 100 accepted
	if in.MaxResults != 0 {
		limit = in.MaxResults
	}
	s := who.Scope()
	p, err := newPager("ListAccountSettings", settingFilters(s, of, in), 100, &limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	views := []types.Setting{}
	for _, known := range accountSettings() {
		v, ok := shownSetting(t, s, of, known.name, in.EffectiveSettings)
		if !ok || in.Name != "" && string(in.Name) != known.name || in.Value != nil && *in.Value != v {
			continue
		}
		before := len(p.out)
		if !p.add(known.name, v) {
			break
		}
		if len(p.out) > before {
			views = append(views, known.view(s, of, v))
		}
	}
	return &sdk.ListAccountSettingsOutput{Settings: views, NextToken: p.next}, nil
}

// shownSetting returns the value to list; ok is false if the principal has not set it.
func shownSetting(t *state.Tables, s model.Scope, of, name string, effective bool) (string, bool) {
	if effective {
		return effectiveSetting(t, s, of, name), true
	}
	row, ok := t.AccountSettings.Get(model.AccountSettingKey(s, name, of))
	if !ok {
		return "", false
	}
	return row.Value, true
}

// settingFilters is what a page token of ListAccountSettings is bound to.
func settingFilters(s model.Scope, of string, in *sdk.ListAccountSettingsInput) []string {
	f := []string{s.Account, s.Region, of, string(in.Name), value(in.Value)}
	if in.EffectiveSettings {
		f = append(f, "effective")
	}
	return f
}
