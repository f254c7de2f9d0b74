package ociimage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// ParseTag parses an image name with a tag, as in registry.test/shop/orders:v1.4.2.
func ParseTag(text string) (name.Tag, error) {
	tag, err := name.NewTag(text, name.WithDefaultTag(""))
	if err != nil {
		return name.Tag{}, fmt.Errorf("invalid image name %q: %w", text, err)
	}
	if tag.TagStr() == "" {
		return name.Tag{}, fmt.Errorf("%q has no tag; write one such as %[1]s:v1.0.0", text)
	}
	return tag, nil
}

// Save writes the image as an archive for docker load and podman load. An interrupted run keeps the
// previous archive.
func Save(path string, tag name.Tag, image v1.Image) error {
	part := path + ".part"
	if err := tarball.WriteToFile(part, tag, image); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, path)
}

// Push pushes the image to its registry with the credentials of docker login or podman login.
func Push(ctx context.Context, tag name.Tag, image v1.Image) error {
	err := remote.Write(tag, image, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err == nil {
		return nil
	}
	if rejected, ok := errors.AsType[*transport.Error](err); ok && (rejected.StatusCode == http.StatusUnauthorized || rejected.StatusCode == http.StatusForbidden) {
		return fmt.Errorf("push %s: %w; log in as a user with write access (docker login %s or podman login %[3]s)", tag, err, tag.RegistryStr())
	}
	return fmt.Errorf("push %s: %w", tag, err)
}

// Size returns the size of the image in a registry, in bytes.
func Size(image v1.Image) (int64, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	sum := manifest.Config.Size
	for _, l := range manifest.Layers {
		sum += l.Size
	}
	return sum, nil
}
