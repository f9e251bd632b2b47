package runtime

import (
	"context"
	"maps"
	"strings"
)

// ImageSays returns the variables and the labels of an image that is on the node: a container's own come on top of them.
func (r *Runtime) ImageSays(ctx context.Context, name string) (env, labels map[string]string, err error) {
	img, err := r.image(r.in(ctx), name)
	if err != nil {
		return nil, nil, err
	}
	env = make(map[string]string, len(img.config.Env))
	for _, e := range img.config.Env {
		k, v, _ := strings.Cut(e, "=")
		env[k] = v
	}
	return env, maps.Clone(img.config.Labels), nil
}
