package server

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/roadstead/roadstead/model"
)

// upstreamLogin reads the secret with which images are fetched from an upstream registry, as ECR itself.
func (s *Server) upstreamLogin(scope model.Scope, arn string) (string, error) {
	t := s.db.Snapshot().Tables
	row := t.SecretByID(scope, arn)
	if row == nil || row.DeletedAt != 0 {
		return "", model.Errorf("SecretNotFoundException", "The ARN of the secret specified in the pull through cache rule was not found. "+
			"Update the pull through cache rule with a valid secret ARN and try again.")
	}
	for _, v := range row.Versions {
		if !slices.Contains(v.Stages, "AWSCURRENT") {
			continue
		}
		kept, ok := t.SecretValues.Get(model.SecretValueKey(row.Scope, row.Name, row.Suffix, v.ID))
		if !ok {
			break
		}
		plain, err := s.secrets.Open(context.Background(), t, row, kept)
		if err != nil {
			return "", model.Errorf("UnableToDecryptSecretValueException", "The secret is accessible but is unable to be decrypted. Verify the resource permissions and try again.")
		}
		return string(plain), nil
	}
	return "", model.Errorf("UnableToAccessSecretException", "The secret is unable to be accessed. Verify the resource permissions for the secret and try again.")
}

// mayImage decides about what a call to ECR does besides.
func (s *Server) mayImage(ctx context.Context, action string, of model.Scope, repository string) error {
	r, ok := ctx.Value(requestKey{}).(*http.Request)
	if !ok {
		return errors.New("the request was not verified")
	}
	in := struct{ RegistryId, RepositoryName string }{of.Account, repository}
	return s.decide(ctx, r, "ecr", action, &in)
}
