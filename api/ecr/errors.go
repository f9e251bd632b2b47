package ecr

import (
	"cmp"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
)

// invalid is the refusal of a parameter, in ECR's words [O].
func invalid(parameter, constraint string) error {
	return model.Errorf("InvalidParameterException", "Invalid parameter at '%s' failed to satisfy constraint: '%s'", parameter, constraint)
}

func checkName(name string) error {
	switch {
	case len(name) < 2:
		return invalid("repositoryName", "Member must have length greater than or equal to 2")
	case len(name) > 256:
		return invalid("repositoryName", "Member must have length less than or equal to 256")
	case !registry.ValidName(name):
		return invalid("repositoryName", "must satisfy regular expression '"+registry.NamePattern+"'")
	}
	return nil
}

func errNoRepository(account, name string) error {
	return model.Errorf("RepositoryNotFoundException",
		"The repository with name '%s' does not exist in the registry with id '%s'", name, account)
}

func errRepositoryExists(account, name string) error {
	return model.Errorf("RepositoryAlreadyExistsException",
		"The repository with name '%s' already exists in the registry with id '%s'", name, account)
}

func errNotEmpty(account, name string) error {
	return model.Errorf("RepositoryNotEmptyException", "The repository with name '%s' in registry with id '%s' cannot be "+
		"deleted because it still contains images", name, account)
}

func errNoScan(r *model.Repository, ref registry.Reference) error {
	return model.Errorf("ScanNotFoundException", "Image scan does not exist for the image with '{imageDigest:'%s', imageTag:'%s'}' in the "+
		"repository with name '%s' in the registry with id '%s'", cmp.Or(ref.Digest, "null"), cmp.Or(ref.Tag, "null"), r.Name, r.Account)
}

func errNoPolicy(r *model.Repository) error {
	return model.Errorf("RepositoryPolicyNotFoundException", "Repository policy does not exist for the repository with name '%s' "+
		"in the registry with id '%s'", r.Name, r.Account)
}

func errNoRegistryPolicy(account string) error {
	return model.Errorf("RegistryPolicyNotFoundException", "Registry policy does not exist in the registry with id '%s'", account)
}

func errNoLifecycle(r *model.Repository) error {
	return model.Errorf("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist for the repository with name '%s' "+
		"in the registry with id '%s'", r.Name, r.Account)
}

func errNoPreview(r *model.Repository) error {
	return model.Errorf("LifecyclePolicyPreviewNotFoundException", "Lifecycle policy preview does not exist for the repository "+
		"with name '%s' in the registry with id '%s'", r.Name, r.Account) // [I] the words
}

func errNoLayer(r *model.Repository, digest string) error {
	return model.Errorf("LayersNotFoundException", "The layer with digest '%s' does not exist in the repository with name "+
		"'%s' in the registry with id '%s'", digest, r.Name, r.Account)
}

func errTooManyTags() error {
	return model.Errorf("TooManyTagsException", "The list of tags on the repository is over the limit. The maximum number of "+
		"tags that can be applied to a repository is 50.")
}
