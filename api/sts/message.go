package sts

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/roadstead/roadstead/model"
)

// longestMessage is how long a message may be, in bytes [D].
const longestMessage = 10240

// decodeAuthorizationMessage says why a call of the caller's account was refused.
func (a *api) decodeAuthorizationMessage(ctx context.Context, in *sts.DecodeAuthorizationMessageInput) (*sts.DecodeAuthorizationMessageOutput, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	text := value(in.EncodedMessage)
	switch {
	case text == "":
		return nil, invalid(text, "encodedMessage", "Member must have length greater than or equal to 1")
	case len(text) > longestMessage:
		return nil, invalid(text, "encodedMessage", "Member must have length less than or equal to "+decimal(longestMessage))
	}
	plain, ok := a.Sessions.DecodeMessage(p.Account, text, a.Now())
	if !ok {
		return nil, model.Errorf("InvalidAuthorizationMessageException", "Message is not valid") // [D] the code, [I] the words
	}
	return &sts.DecodeAuthorizationMessageOutput{DecodedMessage: aws.String(string(plain))}, nil
}
