package registry

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	goruntime "runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// WriteBinaryArchive writes a docker archive of an image with nothing in it but one static binary, which is its entry
// point. The image is the same for the same binary: it has no dates.
func WriteBinaryArchive(binary, archive string) error {
	img, err := binaryImage(binary)
	if err != nil {
		return fmt.Errorf("make an image of %s: %w", binary, err)
	}
	ref, err := name.NewTag("roadstead.local/" + filepath.Base(archive) + ":latest")
	if err != nil {
		ref = name.MustParseReference("roadstead.local/image:latest").(name.Tag)
	}
	return tarball.WriteToFile(archive, ref, img)
}

func binaryImage(binary string) (v1.Image, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	path := "/" + filepath.Base(binary)
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: path[1:], Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil })
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", goruntime.GOARCH
	cfg.Config.Entrypoint = []string{path}
	return mutate.ConfigFile(img, cfg)
}
