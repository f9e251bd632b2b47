package policy_test

import (
	"testing"

	"github.com/roadstead/roadstead/policy"
)

// [D] A policy is public if it allows anybody something, wherever he is.
func TestPublic(t *testing.T) {
	for rest, want := range map[string]bool{
		`"Effect":"Allow","Principal":"*"`:                                                                                           true,
		`"Effect":"Allow","Principal":{"AWS":["*","111122223333"]}`:                                                                  true,
		`"Effect":"Deny","Principal":"*"`:                                                                                            false,
		`"Effect":"Allow","Principal":{"AWS":"111122223333"}`:                                                                        false,
		`"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`:                                 false,
		`"Effect":"Allow","Principal":"*","Condition":{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}}`:                         true,
		`"Effect":"Allow","Principal":"*","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"111122223333"}}`:                   true,
		`"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:PrincipalArn":"*"}}`:                                       true,
		`"Effect":"Allow","Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`:                                   false,
		`"Effect":"Allow","Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","0.0.0.0/0"]}}`:                     true,
		`"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"secretsmanager:VersionStage":"AWSCURRENT"}}`:                 true,
		`"Effect":"Allow","Principal":"*","Condition":{"ArnEquals":{"aws:SourceArn":"arn:aws:ecs:us-east-1:111122223333:task/c/t"}}`: false,
		// [D] A value with a wildcard or a variable in it is no fixed one, but for the sessions of a role.
		`"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}}`:         true,
		`"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:PrincipalAccount":"11112222333?"}}`:              true,
		`"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":"${aws:PrincipalAccount}"}}`: true,
		`"Effect":"Allow","Principal":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:ecs:us-east-1:*:task/c/t"}}`:    true,
		`"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:userid":"AROAEXAMPLE:*"}}`:                       false,
		`"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:userid":"AROA*"}}`:                               true,
	} {
		p, err := policy.Parse(policy.Resource, "p", `{"Version":"2012-10-17","Statement":{`+rest+`,"Action":"secretsmanager:GetSecretValue","Resource":"*"}}`)
		if err != nil {
			t.Errorf("%s: %v", rest, err)
		} else if p.Public() != want {
			t.Errorf("%s: public %t", rest, p.Public())
		}
	}
}
