// Package sts is the Security Token Service API: who am I.
//
// It must not know how requests are decoded (wire) or verified (auth), nor where access keys are kept: it answers from
// the verified principal alone.
package sts

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/wire"
)

// New returns the handlers of the service.
func New() *wire.Mux {
	m := wire.NewMux(wire.STS())
	wire.Handle(m, "GetCallerIdentity", getCallerIdentity)
	return m
}

func getCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return nil, errors.New("get caller identity: the request was not verified")
	}
	return &sts.GetCallerIdentityOutput{
		Account: aws.String(p.Account), Arn: aws.String(p.ARN), UserId: aws.String(p.UserID),
	}, nil
}
