package ssm

import (
	"encoding/json"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/roadstead/roadstead/model"
)

// maxPolicies is how many policies a parameter may have [D].
const maxPolicies = 10

// parameterPolicy is one policy of a parameter.
type parameterPolicy struct {
	Type       string
	Version    string
	Attributes struct {
		Timestamp string
	}
	text string
}

// readPolicies reads a list of policies. "[{}]" and "[]" are none [D].
func readPolicies(text string) ([]parameterPolicy, error) {
	if text == "" {
		return nil, nil
	}
	var raw []json.RawMessage
	if json.Unmarshal([]byte(text), &raw) != nil {
		return nil, model.Errorf("InvalidPolicyAttributeException", "The policies of a parameter are a JSON list.") // [D] the code, [I] the words
	}
	var out []parameterPolicy
	for _, r := range raw {
		p := parameterPolicy{text: string(r)}
		if json.Unmarshal(r, &p) != nil {
			return nil, model.Errorf("InvalidPolicyAttributeException", "A policy of a parameter is a JSON object.") // [D] the code, [I] the words
		}
		if p.text != "{}" {
			out = append(out, p)
		}
	}
	if len(out) > maxPolicies {
		return nil, model.Errorf("PoliciesLimitExceededException", "A parameter can have %d policies.", maxPolicies) // [D] the code, [I] the words
	}
	return out, nil
}

func hasPolicies(text string) bool {
	all, err := readPolicies(text)
	return err != nil || len(all) > 0
}

// checkPolicies refuses what is no policy, and policies that would do nothing here: there is nobody to notify.
func checkPolicies(v *model.ParameterVersion) error {
	all, err := readPolicies(v.Policies)
	if err != nil {
		return err
	}
	for i, p := range all {
		switch p.Type {
		case "Expiration":
			if _, err := p.at(); err != nil {
				return err
			}
			if i > 0 {
				return model.Errorf("IncompatiblePolicyException", "A parameter can have one policy of the type Expiration.") // [D] the code, [I] the words
			}
		case "ExpirationNotification", "NoChangeNotification":
			return model.Errorf("UnsupportedFeatureException", "Roadstead serves policies of the type Expiration only.")
		default:
			return model.Errorf("InvalidPolicyTypeException", "The policy type %s is not supported.", p.Type) // [D] the code, [I] the words
		}
	}
	if len(all) > 0 && v.Tier != string(types.ParameterTierAdvanced) {
		return invalid("Parameter policies are supported for advanced-tier parameters only.") // [D] the rule, [I] the words
	}
	return nil
}

// at is when an Expiration deletes the parameter.
func (p *parameterPolicy) at() (model.Millis, error) {
	t, err := time.Parse(time.RFC3339, p.Attributes.Timestamp)
	if err != nil {
		return 0, model.Errorf("InvalidPolicyAttributeException", "The Timestamp of a policy is a time in ISO 8601.") // [D] the code, [I] the words
	}
	return t.UnixMilli(), nil
}

// expiration is when policies delete their parameter, 0 for never.
func expiration(text string) (model.Millis, error) {
	all, err := readPolicies(text)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[0].at()
}

// policyViews are policies in the shape of answers. What is shown is still to come.
func policyViews(text string) []types.ParameterInlinePolicy {
	out := []types.ParameterInlinePolicy{}
	all, _ := readPolicies(text) // they were read when they were put
	for _, p := range all {
		out = append(out, types.ParameterInlinePolicy{PolicyText: aws.String(p.text), PolicyType: aws.String(p.Type), PolicyStatus: aws.String("Pending")})
	}
	return out
}
