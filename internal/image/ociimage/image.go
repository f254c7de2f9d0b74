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

// User is the numeric user and group of the program, as nonroot in distroless images. It is a number,
// because Kubernetes cannot check a name for runAsNonRoot.
const User = 65532

// rootsPath is the first path where Go searches certificate authorities on Linux.
const rootsPath = "etc/ssl/certs/ca-certificates.crt"

// Options are the options of an image.
type Options struct {
	Name    string // of the program in the image, and of the image
	Version string
	Source  string   // URL of the repository; may be empty
	Env     []string // as NAME=value
	Ports   []int
	// Created is the time of the image. Zero means the time of the program's commit, else 1970.
	Created time.Time
}

// Pack builds the image. The certificate authorities are a separate layer, which registries and nodes
// reuse between versions.
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

func (b Binary) time(created time.Time) time.Time {
	switch {
	case !created.IsZero():
		return created.UTC()
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

// file is the file of a layer.
type file struct {
	path    string
	mode    int64
	data    []byte
	comment string
}

// layer returns a layer with the file and its parent directories. All times are 1970, so that an
// unchanged file has an unchanged layer.
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

// dirsAbove returns the parent directories from the root down.
func dirsAbove(name string) []string {
	var dirs []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		dirs = append(dirs, dir)
	}
	slices.Reverse(dirs)
	return dirs
}

func hasTag(tags, tag string) bool { return slices.Contains(strings.Split(tags, ","), tag) }

// program returns the path of the program.
func (o Options) program() string { return "bin/" + o.Name }
