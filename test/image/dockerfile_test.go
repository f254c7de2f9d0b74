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

// anyImage stands in for a registry: every image is one for linux/amd64.
type anyImage struct{ asked *[]string }

func (a anyImage) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	*a.asked = append(*a.asked, ref)
	config, err := json.Marshal(ocispecs.Image{Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"}})
	return ref, digest.FromBytes(config), config, err
}

func convertOpt(dockerfile []byte, asked *[]string) dockerfile2llb.ConvertOpt {
	source := llb.NewSourceMap(nil, "Dockerfile", "Dockerfile", dockerfile)
	source.Definition = &llb.Definition{} // of the directory that the file is from, which the linter asks for
	return dockerfile2llb.ConvertOpt{
		MetaResolver:   anyImage{asked},
		SourceMap:      source,
		TargetPlatform: &ocispecs.Platform{OS: "linux", Architecture: "amd64"},
		Config:         dockerui.Config{BuildArgs: map[string]string{}},
	}
}

// complaints are the names of the rules that the linter names, and what the
// builder itself says.
func complaints(t *testing.T, dockerfile []byte) []string {
	t.Helper()
	var asked []string
	results, err := dockerfile2llb.DockerfileLint(t.Context(), dockerfile, convertOpt(dockerfile, &asked))
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

func TestBuildKitHasNothingToSayOfTheDockerfile(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{
		"orders": orders(t), "shop-cart": service(t, "shop-cart", "--with", "postgres"),
	} {
		dockerfile := read(t, dir, "Dockerfile")
		if got := complaints(t, dockerfile); len(got) > 0 {
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
			t.Errorf("%s: the stages are %+v", name, stages)
		}
		_, toolchain, _ := strings.Cut(string(read(t, dir, "go.mod")), "\ntoolchain go")
		toolchain, _, _ = strings.Cut(toolchain, "\n")
		if want := "golang:" + toolchain + "@"; toolchain == "" || !strings.HasPrefix(stages[0].BaseName, want) {
			t.Errorf("%s: built from %s, go.mod wants %s", name, stages[0].BaseName, want)
		}
	}
}

// The linter is worth something only if it finds what is wrong.
func TestTheLinterFindsFaults(t *testing.T) {
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
		if got := complaints(t, []byte(bad)); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, tt.want) }) {
			t.Errorf("%s: got %v, want %s", tt.new, got, tt.want)
		}
	}
}

// Who builds with Docker gets the same container as who types make image.
func TestBothWaysGiveTheSameContainer(t *testing.T) {
	t.Parallel()
	dir := orders(t)
	var asked []string
	dockerfile := read(t, dir, "Dockerfile")
	byDocker, err := dockerfile2llb.Dockerfile2LLB(t.Context(), dockerfile, convertOpt(dockerfile, &asked))
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
	env := slices.DeleteFunc(slices.Clone(want.Env), func(v string) bool { return strings.HasPrefix(v, "PATH=") }) // BuildKit's own
	if got.User != want.User || !slices.Equal(got.Entrypoint, want.Entrypoint) || !slices.Equal(got.Env, env) ||
		!slices.Equal(slices.Sorted(maps.Keys(got.ExposedPorts)), slices.Sorted(maps.Keys(want.ExposedPorts))) {
		t.Errorf("packed %+v\nby Docker %+v", got, want)
	}
	if len(asked) != 1 || !strings.HasPrefix(asked[0], "docker.io/library/golang:") {
		t.Errorf("images asked for: %v", asked)
	}
}
