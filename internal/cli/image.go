package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/image/ociimage"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/templates/spec"
)

type imageOptions struct {
	binary  string
	tag     string
	archive string
	digest  string
	push    bool
}

func newImageCommand(g *globals) *cobra.Command {
	var o imageOptions
	cmd := &cobra.Command{
		Use:   "image BINARY",
		Short: "Pack the service's binary into a container image",
		Long: "Pack a Linux binary and the CA certificates of Mozilla, and nothing else, into an image\n" +
			"that runs as uid " + strconv.Itoa(ociimage.User) + ". No container engine is needed. The same binary gives the\n" +
			"same digest everywhere and at any time.\n\n" +
			"The archive is for docker load and podman load. With --push the image is pushed to the\n" +
			"registry in its name, with the credentials of docker login or podman login.\n\n" +
			"make image builds the binary and calls this.",
		Example: "  scaffold image bin/linux/orders\n" +
			"  scaffold image bin/linux/orders --tag registry.acme.test/shop/orders:v1.4.2 --push",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(cmd, "%d binaries are named; name one, such as bin/linux/orders", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.binary = args[0]
			return runImage(cmd.Context(), g, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.tag, "tag", "", "name of the image with its tag (default: deploy.image of the spec with the tag dev)")
	flags.StringVarP(&o.archive, "out", "o", "", "file to write the image to (default: no file)")
	flags.StringVar(&o.digest, "digest", "", "file to write the image's digest to (default: no file)")
	flags.BoolVar(&o.push, "push", false, "push the image to the registry in its name")
	return cmd
}

// packed is the JSON document of scaffold image. Its keys are public.
type packed struct {
	Image   string `json:"image"`  // name with tag
	Digest  string `json:"digest"` // of the manifest, as in sha256:...
	Bytes   int64  `json:"bytes"`  // size in a registry
	Archive string `json:"archive,omitempty"`
	Pushed  bool   `json:"pushed"`
}

func runImage(ctx context.Context, g *globals, o imageOptions) error {
	dir, err := project.FindService("")
	if err != nil {
		return err
	}
	service, err := project.LoadSpec(dir, "")
	if err != nil {
		return err
	}
	if o.tag == "" {
		o.tag = service.Deploy.Image + ":dev"
	}
	tag, err := ociimage.ParseTag(o.tag)
	if err != nil {
		return err
	}
	image, err := g.pack(service, o, tag)
	if err != nil {
		return err
	}
	result, err := deliver(ctx, image, o, tag)
	if err != nil || g.emit(result) {
		return err
	}
	g.printf("%s@%s, %.1f MB\n", result.Image, result.Digest, float64(result.Bytes)/1e6)
	return nil
}

func (g *globals) pack(service spec.Service, o imageOptions, tag name.Tag) (v1.Image, error) {
	created, err := sourceDate(g.Getenv)
	if err != nil {
		return nil, err
	}
	binary, err := ociimage.OpenBinary(o.binary)
	if err != nil {
		return nil, err
	}
	_, adminPort, err := net.SplitHostPort(service.Admin.Addr)
	if err != nil {
		return nil, fmt.Errorf("admin.addr: %w", err)
	}
	port, err := strconv.Atoi(adminPort)
	if err != nil {
		return nil, fmt.Errorf("admin.addr: port %q is no number", adminPort)
	}
	return ociimage.Pack(binary, ociimage.Options{
		Name: service.Binary(), Version: tag.TagStr(), Source: service.Links.Repository,
		// Probes and metrics must be reachable from outside the container.
		Env:     []string{"ADMIN_ADDR=:" + adminPort},
		Ports:   []int{service.HTTP.Port, port},
		Created: created,
	})
}

// sourceDate returns the build time from SOURCE_DATE_EPOCH (reproducible-builds.org), or the
// zero time if it is not set.
func sourceDate(getenv func(string) string) (time.Time, error) {
	text := getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH=%q: write seconds since 1970, or unset it", text)
	}
	return time.Unix(seconds, 0), nil
}

// deliver writes the files and pushes the image. It writes the digest last, so that a digest
// means that everything else succeeded.
func deliver(ctx context.Context, image v1.Image, o imageOptions, tag name.Tag) (packed, error) {
	result := packed{Image: o.tag, Archive: o.archive, Pushed: o.push}
	digest, err := image.Digest()
	if err != nil {
		return packed{}, err
	}
	result.Digest = digest.String()
	if result.Bytes, err = ociimage.Size(image); err != nil {
		return packed{}, err
	}
	if o.archive != "" {
		if err := os.MkdirAll(filepath.Dir(o.archive), 0o755); err != nil {
			return packed{}, err
		}
		if err := ociimage.Save(o.archive, tag, image); err != nil {
			return packed{}, err
		}
	}
	if o.push {
		if err := ociimage.Push(ctx, tag, image); err != nil {
			return packed{}, err
		}
	}
	return result, writeOutput(o.digest, []byte(result.Digest+"\n"))
}

// writeOutput writes a file and creates its directories. Without a path it does nothing.
func writeOutput(path string, data []byte) error {
	if strings.TrimSpace(path) == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
