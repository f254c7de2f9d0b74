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

// ParseTag reads the name of an image with its tag, as in
// registry.test/shop/orders:v1.4.2.
func ParseTag(text string) (name.Tag, error) {
	tag, err := name.NewTag(text, name.WithDefaultTag(""))
	if err != nil {
		return name.Tag{}, fmt.Errorf("%q is not the name of an image: %w", text, err)
	}
	if tag.TagStr() == "" {
		return name.Tag{}, fmt.Errorf("%q has no tag; write one such as %[1]s:v1.0.0", text)
	}
	return tag, nil
}

// Save writes the image as an archive that docker load and podman load read. A
// run that is broken off leaves the archive of before.
func Save(path string, tag name.Tag, image v1.Image) error {
	part := path + ".part"
	if err := tarball.WriteToFile(part, tag, image); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, path)
}

// Push sends the image to its registry, with what docker login or podman login
// left on this machine.
func Push(ctx context.Context, tag name.Tag, image v1.Image) error {
	err := remote.Write(tag, image, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*transport.Error](err); ok && (refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusForbidden) {
		return fmt.Errorf("push %s: the registry refuses: %w; log in (docker login %s, podman login %[3]s) as somebody who may write there", tag, err, tag.RegistryStr())
	}
	return fmt.Errorf("push %s: %w", tag, err)
}

// Size is how many bytes a registry keeps of the image.
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
