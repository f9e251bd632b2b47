package registry

import "github.com/roadstead/roadstead/model"

func errNoRepository(s model.Scope, name string) *model.Error {
	return model.Errorf("RepositoryNotFoundException",
		"The repository with name '%s' does not exist in the registry with id '%s'", name, s.Account)
}

func errTagFinal(name, tag string) *model.Error {
	return model.Errorf("ImageTagAlreadyExistsException", "The image tag '%s' already exists in the '%s' repository and "+
		"cannot be overwritten because the tag is immutable.", tag, name)
}

func errNoImage(s model.Scope, name string, ref Reference) *model.Error {
	null := func(v string) string {
		if v == "" {
			return "null"
		}
		return v
	}
	return model.Errorf("ImageNotFoundException", "The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist "+
		"within the repository with name '%s' in the registry with id '%s'", null(ref.Digest), null(ref.Tag), name, s.Account)
}

func errImageExists(s model.Scope, name, digest, tag string) *model.Error {
	if tag == "" {
		return model.Errorf("ImageAlreadyExistsException", "Image with digest '%s' already exists in the repository with "+
			"name '%s' in registry with id '%s'", digest, name, s.Account)
	}
	return model.Errorf("ImageAlreadyExistsException", "Image with digest '%s' and tag '%s' already exists in the "+
		"repository with name '%s' in registry with id '%s'", digest, tag, name, s.Account)
}

func errNoLayers(s model.Scope, name string, digests []string) *model.Error {
	return model.Errorf("LayersNotFoundException", "Layers with digests '%v' required for pushing image into repository "+
		"with name '%s' in the registry with id '%s' do not exist", digests, name, s.Account)
}

func errNoUpload(s model.Scope, name, id string) *model.Error {
	return model.Errorf("UploadNotFoundException", "Upload with id '%s' in the repository with name '%s' in the registry "+
		"with id '%s' could not be found", id, name, s.Account)
}
