package image

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// anyImage is a fake registry: every image exists for linux/amd64.
type anyImage struct{ requested *[]string }

func (a anyImage) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	*a.requested = append(*a.requested, ref)
	config, err := json.Marshal(ocispecs.Image{Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"}})
	return ref, digest.FromBytes(config), config, err
}

func convertOpt(dockerfile []byte, requested *[]string) dockerfile2llb.ConvertOpt {
	source := llb.NewSourceMap(nil, "Dockerfile", "Dockerfile", dockerfile)
	source.Definition = &llb.Definition{} // the linter requires one
	return dockerfile2llb.ConvertOpt{
		MetaResolver:   anyImage{requested},
		SourceMap:      source,
		TargetPlatform: &ocispecs.Platform{OS: "linux", Architecture: "amd64"},
		Config:         dockerui.Config{BuildArgs: map[string]string{}},
	}
}

// findings returns the names of violated linter rules, and the error of the
// builder.
func findings(t *testing.T, dockerfile []byte) []string {
	t.Helper()
	var requested []string
	results, err := dockerfile2llb.DockerfileLint(t.Context(), dockerfile, convertOpt(dockerfile, &requested))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	if results.Error != nil {
		all = append(all, results.Error.Message)
	}
	for _, w := range results.Warnings {
		all = append(all, w.RuleName)
	}
	return all
}

func TestTheDockerfilePassesTheLinter(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{
		"orders": orders(t), "shop-cart": service(t, "shop-cart", "--with", "postgres"),
	} {
		dockerfile := read(t, dir, "Dockerfile")
		if got := findings(t, dockerfile); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
		parsed, err := parser.Parse(bytes.NewReader(dockerfile))
		if err != nil {
			t.Fatal(err)
		}
		if len(parsed.Warnings) > 0 {
			t.Errorf("%s: %v", name, parsed.Warnings)
		}
		stages, _, err := instructions.Parse(parsed.AST, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(stages) != 2 || !strings.Contains(stages[0].BaseName, "@sha256:") || stages[1].BaseName != "scratch" {
			t.Errorf("%s: stages %+v, want one with a digest and scratch", name, stages)
		}
		_, toolchain, _ := strings.Cut(string(read(t, dir, "go.mod")), "\ntoolchain go")
		toolchain, _, _ = strings.Cut(toolchain, "\n")
		if want := "golang:" + toolchain + "@"; toolchain == "" || !strings.HasPrefix(stages[0].BaseName, want) {
			t.Errorf("%s: built from %s, want %s, the toolchain of go.mod", name, stages[0].BaseName, want)
		}
	}
}

func TestTheLinterFindsErrors(t *testing.T) {
	t.Parallel()
	good := string(read(t, orders(t), "Dockerfile"))
	for _, tt := range []struct{ old, new, want string }{
		{" AS build", " as build", "FromAsCasing"},
		{"WORKDIR /src", "WORKDIR src", "WorkdirRelativePath"},
		{"ENV ADMIN_ADDR=", "ENV ADMIN_ADDR ", "LegacyKeyValueFormat"},
		{`ENTRYPOINT ["/bin/orders"]`, "ENTRYPOINT /bin/orders", "JSONArgsRecommended"},
		{"ARG VERSION=dev", "ARG TOKEN=dev", "SecretsUsedInArgOrEnv"},
		{" AS build", " AS scratch", "ReservedStageName"},
		{"USER 65532:65532", "OWNER 65532:65532", "unknown instruction"},
	} {
		bad := strings.Replace(good, tt.old, tt.new, 1)
		if bad == good {
			t.Errorf("%q is not in the Dockerfile", tt.old)
		}
		if got := findings(t, []byte(bad)); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, tt.want) }) {
			t.Errorf("%s: got %v, want %s", tt.new, got, tt.want)
		}
	}
}

// docker build and make image result in the same configuration.
func TestDockerAndMakeBuildTheSameContainer(t *testing.T) {
	t.Parallel()
	dir := orders(t)
	var requested []string
	dockerfile := read(t, dir, "Dockerfile")
	byDocker, err := dockerfile2llb.Dockerfile2LLB(t.Context(), dockerfile, convertOpt(dockerfile, &requested))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := tarball.ImageFromPath(filepath.Join(dir, "bin", "orders-image.tar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := packed.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want, got := byDocker.Image.Config, config.Config
	env := slices.DeleteFunc(slices.Clone(want.Env), func(v string) bool { return strings.HasPrefix(v, "PATH=") }) // BuildKit adds it
	if got.User != want.User || !slices.Equal(got.Entrypoint, want.Entrypoint) || !slices.Equal(got.Env, env) ||
		!slices.Equal(slices.Sorted(maps.Keys(got.ExposedPorts)), slices.Sorted(maps.Keys(want.ExposedPorts))) {
		t.Errorf("make image: %+v\nDocker: %+v", got, want)
	}
	if len(requested) != 1 || !strings.HasPrefix(requested[0], "docker.io/library/golang:") {
		t.Errorf("requested images %v, want golang only", requested)
	}
}
