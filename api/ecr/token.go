package ecr

import (
	"context"
	"encoding/base64"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// getAuthorizationToken answers a docker login for the caller's account. The deprecated registryIds change nothing: a
// token is good for what its owner may see.
func (a *API) getAuthorizationToken(ctx context.Context, _ *ecr.GetAuthorizationTokenInput) (*ecr.GetAuthorizationTokenOutput, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	password, expires := a.Images.Token(p.Scope(), p.AccessKeyID, p.Token)
	return &ecr.GetAuthorizationTokenOutput{AuthorizationData: []types.AuthorizationData{{
		AuthorizationToken: aws.String(base64.StdEncoding.EncodeToString([]byte("AWS:" + password))),
		ExpiresAt:          aws.Time(expires),
		ProxyEndpoint:      aws.String(a.Endpoint()),
	}}}, nil
}
