package project

import (
	"context"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// Build describes this scaffold binary.
type Build struct {
	Version  string // such as v0.1.0; "devel" in a checkout
	Released bool   // installed by version; services then require the runtime by version
	// RuntimeVersion and RuntimeSum are those of the runtime that a released scaffold was built
	// with. The sum has the format of go.sum. If empty, the runtime has the version of
	// scaffold, and the go tool determines the sum.
	RuntimeVersion, RuntimeSum string
	Go                         string // version of Go that built it
	// Checkout is the source directory of a scaffold that is not released; empty if the build
	// left out paths.
	Checkout string
	Revision string // commit of the checkout; empty if the build left it out
	Modified bool   // the checkout had uncommitted changes
}

// Generator generates services.
type Generator struct {
	Build Build
	// Render returns the files of a service, without its state.
	Render func(spec.Service, templates.RenderOptions) (templates.Tree, error)
	// RenderRepository returns the files of the service at the root of its repository. Nil
	// leaves them out.
	RenderRepository func(spec.Service, templates.RenderOptions) (templates.Tree, error)
	// TemplatesDigest returns the digest of the embedded templates for the manifest of the
	// service.
	TemplatesDigest func() (string, error)
	// Ask builds the service in dir and runs its commands, such as telemetry. Nil leaves out
	// everything that needs a service that builds.
	Ask func(ctx context.Context, dir, binary string, verbs []string) (map[string]Output, error)
}

// CurrentBuild returns the build information of the linker. Only a binary that was installed by
// version has a checksum of its own module; the version is not enough, since that of a checkout
// depends on how it was built.
func CurrentBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	_, source, _, ok := runtime.Caller(0)
	if !ok {
		source = "" // not a path in a checkout
	}
	return buildOf(info, source)
}

// buildOf returns the build for the information of the linker and the path of a source file of
// this package.
func buildOf(info *debug.BuildInfo, source string) Build {
	if info.Main.Sum == "" {
		b := Build{Version: "devel", Go: runtime.Version(), Checkout: checkoutOf(source)}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
		return b
	}
	b := Build{Version: info.Main.Version, Released: true, Go: runtime.Version()}
	for _, m := range info.Deps {
		if m.Path == RuntimeImport() {
			b.RuntimeVersion, b.RuntimeSum = m.Version, m.Sum
		}
	}
	return b
}

// ModulePath is the path of scaffold's own module. It is derived from the path of this package,
// so that a fork that renames the module need not change it.
func ModulePath() string {
	return strings.TrimSuffix(reflect.TypeFor[Generator]().PkgPath(), "/internal/project")
}

// RuntimeImport is the path of the runtime module, which services import.
func RuntimeImport() string { return ModulePath() + "/runtime" }

// OpenWorkspace opens the directory of a service, which need not exist, to plan or compare.
func (g Generator) OpenWorkspace(dir string) (*workspace.Workspace, error) {
	return g.openState(dir, workspace.Options{State: workspace.DefaultState})
}

// LockWorkspace opens the directory of a service, which need not exist, to write. It returns an error
// if another scaffold has locked it.
func (g Generator) LockWorkspace(dir string) (*workspace.Workspace, error) {
	return g.openState(dir, workspace.Options{State: workspace.DefaultState, Lock: true})
}

// openState opens a directory with the state and lock of the options, and adds the rest.
func (g Generator) openState(dir string, opts workspace.Options) (*workspace.Workspace, error) {
	layer := workspace.Layer{Name: "scaffold", Version: g.Build.Version}
	if g.TemplatesDigest != nil {
		var err error
		if layer.Digest, err = g.TemplatesDigest(); err != nil {
			return nil, err
		}
	}
	opts.Spec = spec.FileName
	opts.Generator, opts.Command, opts.Layers = g.Build.Version, ModulePath()+"/cmd/scaffold", []workspace.Layer{layer}
	return workspace.Open(dir, opts)
}
