package ociimage

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// User is the number of the account that the program runs as, with the group of
// the same number: the nonroot of distroless images. A number, because Kubernetes
// cannot tell whether a name is root's (runAsNonRoot).
const User = 65532

// rootsPath is where Go looks first for certificate authorities on Linux.
const rootsPath = "etc/ssl/certs/ca-certificates.crt"

// Options is what an image says about its program.
type Options struct {
	Name    string // of the program in the image, and of the image
	Version string
	Source  string   // address of the repository; may be empty
	Env     []string // as NAME=value
	Ports   []int
	// Created is the time of the image and of its files. Zero means that of the
	// commit that the program was built from, else 1970.
	Created time.Time
}

// Pack returns the image. Its authorities are a layer of their own, which
// registries and nodes keep from one version to the next.
func Pack(b Binary, o Options) (v1.Image, error) {
	program, err := os.ReadFile(b.path)
	if err != nil {
		return nil, err
	}
	roots, err := authorities()
	if err != nil {
		return nil, err
	}
	created := b.time(o.Created)
	var adds []mutate.Addendum
	for _, f := range []file{
		{path: rootsPath, mode: 0o644, data: roots, comment: "certificate authorities of Mozilla"},
		{path: o.program(), mode: 0o755, data: program, comment: o.Name + " " + o.Version},
	} {
		layer, err := f.layer()
		if err != nil {
			return nil, err
		}
		adds = append(adds, mutate.Addendum{
			Layer: layer, MediaType: types.OCILayer,
			History: v1.History{Created: v1.Time{Time: created}, CreatedBy: "scaffold image", Comment: f.comment},
		})
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(base, adds...)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", b.architecture
	config.Created = v1.Time{Time: created}
	config.Config = o.config(b)
	return mutate.ConfigFile(image, config)
}

func (b Binary) time(asked time.Time) time.Time {
	switch {
	case !asked.IsZero():
		return asked.UTC()
	case !b.committed.IsZero():
		return b.committed.UTC()
	}
	return time.Unix(0, 0).UTC()
}

func (o Options) config(b Binary) v1.Config {
	labels := map[string]string{
		"org.opencontainers.image.title":   o.Name,
		"org.opencontainers.image.version": o.Version,
	}
	if b.revision != "" {
		labels["org.opencontainers.image.revision"] = b.revision
	}
	if o.Source != "" {
		labels["org.opencontainers.image.source"] = o.Source
	}
	ports := map[string]struct{}{}
	for _, p := range o.Ports {
		ports[strconv.Itoa(p)+"/tcp"] = struct{}{}
	}
	return v1.Config{
		User:         fmt.Sprintf("%d:%[1]d", User),
		Entrypoint:   []string{"/" + o.program()},
		WorkingDir:   "/",
		Env:          o.Env,
		ExposedPorts: ports,
		Labels:       labels,
	}
}

// file is the one file of a layer.
type file struct {
	path    string
	mode    int64
	data    []byte
	comment string
}

// layer is the file with the folders above it. The times of all are those of
// 1970: a later one would make a layer new whose files are not.
func (f file) layer() (v1.Layer, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, dir := range dirsAbove(f.path) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: time.Unix(0, 0)}); err != nil {
			return nil, err
		}
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.path, Mode: f.mode, Size: int64(len(f.data)), ModTime: time.Unix(0, 0)}); err != nil {
		return nil, err
	}
	if _, err := w.Write(f.data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(buf.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}

// dirsAbove lists them from the root down.
func dirsAbove(name string) []string {
	var dirs []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		dirs = append(dirs, dir)
	}
	slices.Reverse(dirs)
	return dirs
}

func hasTag(tags, tag string) bool { return slices.Contains(strings.Split(tags, ","), tag) }

// program is the path of the program, in a folder that no name of a service
// can take the place of.
func (o Options) program() string { return "bin/" + o.Name }
