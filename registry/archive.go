package registry

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// PushOptions says where and as whom PushArchive pushes.
type PushOptions struct {
	User, Password string
	// Insecure allows plain HTTP to hosts other than this one.
	Insecure bool
	// Transport replaces http.DefaultTransport.
	Transport http.RoundTripper
}

// PushArchive pushes the image of an archive to ref (HOST:PORT/REPOSITORY:TAG) and returns its digest. The archive is
// what `docker save` writes, or an OCI image layout, as a tar file (gzip allowed); a layout may also be a directory.
func PushArchive(ctx context.Context, archive, ref string, o PushOptions) (digest string, err error) {
	var naming []name.Option
	if o.Insecure {
		naming = append(naming, name.Insecure)
	}
	to, err := name.ParseReference(ref, naming...)
	if err != nil {
		return "", fmt.Errorf("push %s: %w", archive, err)
	}
	image, done, err := openArchive(archive)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", archive, err)
	}
	defer done()
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuth(authn.FromConfig(authn.AuthConfig{
		Username: o.User, Password: o.Password,
	}))}
	if o.Transport != nil {
		options = append(options, remote.WithTransport(o.Transport))
	}
	var hash v1.Hash
	switch i := image.(type) {
	case v1.Image:
		if err = remote.Write(to, i, options...); err == nil {
			hash, err = i.Digest()
		}
	case v1.ImageIndex:
		if err = remote.WriteIndex(to, i, options...); err == nil {
			hash, err = i.Digest()
		}
	}
	if err != nil {
		return "", fmt.Errorf("push %s: %w", ref, err)
	}
	return hash.String(), nil
}

// openArchive returns the archive's v1.Image or v1.ImageIndex. done removes what was unpacked.
func openArchive(archive string) (image any, done func(), err error) {
	done = func() {}
	info, err := os.Stat(archive)
	if err != nil {
		return nil, done, err
	}
	if info.IsDir() {
		image, err = openLayout(archive)
		return image, done, err
	}
	opener := func() (io.ReadCloser, error) { return openTar(archive) }
	saved, err := tarball.LoadManifest(opener)
	if err == nil {
		if len(saved) != 1 {
			return nil, done, fmt.Errorf("the archive holds %d images; save them one by one", len(saved))
		}
		image, err = tarball.Image(opener, nil)
		return image, done, err
	}
	dir, err := os.MkdirTemp("", "roadstead-image-")
	if err != nil {
		return nil, done, err
	}
	done = func() { _ = os.RemoveAll(dir) } // a temporary directory: nothing is lost if it stays
	if err = unpack(opener, dir); err == nil {
		image, err = openLayout(dir)
	}
	if err != nil {
		done()
		return nil, func() {}, err
	}
	return image, done, nil
}

// openTar opens a tar file, decompressing it if it is gzip.
func openTar(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b := bufio.NewReaderSize(f, 1<<16)
	magic, _ := b.Peek(2) // a shorter file is no tar either, which its reader will say
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return struct {
			io.Reader
			io.Closer
		}{b, f}, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{z, f}, nil
}

// unpack writes an archive's files below dir, and nowhere else.
func unpack(opener tarball.Opener, dir string) error {
	r, err := opener()
	if err != nil {
		return err
	}
	defer r.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("neither docker-save nor OCI archive: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		file := filepath.Clean(h.Name)
		if err := root.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		f, err := root.Create(file)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, t)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
}

// openLayout returns the image of an OCI layout: its only one, or an index of several platforms. Of an index whose
// images are not all there (docker saves the platform it has) it returns the image for this machine.
func openLayout(dir string) (any, error) {
	p, err := layout.FromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("neither docker-save nor OCI archive: %w", err)
	}
	index, err := p.ImageIndex()
	if err != nil {
		return nil, err
	}
	for {
		m, err := index.IndexManifest()
		if err != nil {
			return nil, err
		}
		switch {
		case len(m.Manifests) == 0:
			return nil, errors.New("the layout holds no image")
		case len(m.Manifests) == 1 && m.Manifests[0].MediaType.IsImage():
			return index.Image(m.Manifests[0].Digest)
		case len(m.Manifests) == 1 && m.Manifests[0].MediaType.IsIndex():
			if index, err = index.ImageIndex(m.Manifests[0].Digest); err != nil {
				return nil, err
			}
			continue
		}
		return choose(p, index, m)
	}
}

func choose(p layout.Path, index v1.ImageIndex, m *v1.IndexManifest) (any, error) {
	var here []v1.Descriptor
	for _, d := range m.Manifests {
		if _, err := p.Bytes(d.Digest); err == nil {
			here = append(here, d)
		}
	}
	if len(here) == len(m.Manifests) {
		return index, nil
	}
	for _, d := range here {
		if d.MediaType.IsImage() && d.Platform != nil && d.Platform.OS == "linux" && d.Platform.Architecture == runtime.GOARCH {
			return index.Image(d.Digest)
		}
	}
	return nil, fmt.Errorf("the archive lacks %d of the index's %d images, and has none for linux/%s",
		len(m.Manifests)-len(here), len(m.Manifests), runtime.GOARCH)
}
