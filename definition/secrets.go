package definition

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

const maxEnvironmentFiles = 10

// checkEnvironment: variables have names, and files are .env objects in S3, at most ten (SEMANTICS §11.5) [D].
func checkEnvironment(_ *draft, c *types.ContainerDefinition) error {
	for _, e := range c.Environment {
		if deref(e.Name) == "" {
			return refuse("The name of an environment variable of container '%s' should not be null or empty.", deref(c.Name)) // [I]
		}
	}
	return checkEnvironmentFiles(c.EnvironmentFiles)
}

func checkEnvironmentFiles(files []types.EnvironmentFile) error {
	if len(files) > maxEnvironmentFiles {
		return refuse("Too many environment files. The maximum is %d.", maxEnvironmentFiles) // [I]
	}
	for _, f := range files {
		if !known(f.Type) {
			return refuse("Invalid environment file type '%s'. The only supported type is s3.", f.Type) // [I]
		}
		v := deref(f.Value)
		arn, ok := model.ParseARN(v)
		if bucket, key, _ := strings.Cut(arn.Tail, "/"); !ok || arn.Service != "s3" || bucket == "" || !strings.HasSuffix(key, ".env") {
			return refuse("Invalid environment file '%s'. It must be the ARN of an S3 object with the extension .env.", v) // [I]
		}
	}
	return nil
}

// checkSecrets: secrets have names of their own, and only the execution role may read them (SEMANTICS §12, §13.6).
func checkSecrets(d *draft, c *types.ContainerDefinition) error {
	var logSecrets []types.Secret
	if c.LogConfiguration != nil {
		logSecrets = c.LogConfiguration.SecretOptions
	}
	if d.ExecutionRoleArn == nil && len(c.Secrets)+len(logSecrets) > 0 {
		return refuse("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.") // [O]
	}
	if r := c.RepositoryCredentials; r != nil {
		if deref(r.CredentialsParameter) == "" {
			return refuse("repositoryCredentials.credentialsParameter should not be null or empty.") // [I]
		}
		if d.ExecutionRoleArn == nil {
			return refuse("When you are specifying repositoryCredentials, you must also specify a value for 'executionRoleArn'.") // [I]
		}
	}
	for _, list := range [][]types.Secret{c.Secrets, logSecrets} {
		if err := checkSecretList(deref(c.Name), list); err != nil {
			return err
		}
	}
	for _, s := range c.Secrets {
		for _, e := range c.Environment {
			if deref(e.Name) == deref(s.Name) {
				return refuse("The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '%s'.", deref(s.Name)) // [O]
			}
		}
	}
	return nil
}

func checkSecretList(container string, list []types.Secret) error {
	seen := map[string]bool{}
	for _, s := range list {
		name := deref(s.Name)
		if name == "" || deref(s.ValueFrom) == "" {
			return refuse("Secrets of container '%s' need a name and a valueFrom.", container) // [I]
		}
		if seen[name] {
			return refuse("Duplicate secret names found: %s. Each secret name must be unique.", name) // [O]
		}
		seen[name] = true
	}
	return nil
}

// inSecretsManager says whether a secret's valueFrom is a Secrets Manager ARN; everything else is a parameter of SSM
// (SEMANTICS §13.6) [D].
func inSecretsManager(s types.Secret) bool {
	return strings.Contains(deref(s.ValueFrom), ":secretsmanager:")
}

// UnassumablePrefix begins what Unassumable says.
const UnassumablePrefix = "ECS was unable to assume the role '"

// Unassumable is why a task with a role does not start that does not trust ECS, or is not there [O].
func Unassumable(role string) string {
	return UnassumablePrefix + role + "' that was provided for this task. Please verify that the role being passed " +
		"has the proper trust relationship and permissions and that your IAM user has permissions to pass this role."
}

// secret says where a node gets a secret, and what for. A parameter that is named without an ARN is in the task's Region.
func secret(s model.Scope, x types.Secret, target string) acs.Secret {
	region := s.Region
	if arn, ok := model.ParseARN(deref(x.ValueFrom)); ok {
		region = arn.Region
	}
	return acs.Secret{
		Name: deref(x.Name), ValueFrom: deref(x.ValueFrom), Provider: provider(x), Region: region, Type: "ENVIRONMENT_VARIABLE", Target: target,
	}
}
