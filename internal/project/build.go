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

// Build says which scaffold this is.
type Build struct {
	Version  string // as in v0.1.0; "devel" in a checkout
	Released bool   // installed by version: the runtime is required by version, too
	// RuntimeVersion and RuntimeSum are those of the runtime that a released
	// scaffold was built with, the sum as go.sum has it. Empty means the runtime
	// of the same version, with a sum that the go tool finds out.
	RuntimeVersion, RuntimeSum string
	Go                         string // version of Go it was built with
	// Checkout is the directory that a scaffold that is not released was built in;
	// empty when the build left out paths.
	Checkout string
	Revision string // commit of that checkout; empty when the build left it out
	Modified bool   // the checkout had changes that were not committed
}

// Generator generates services.
type Generator struct {
	Build Build
	// Render turns a spec into the files of its service, without its state.
	Render func(spec.Service, templates.RenderOptions) (templates.Tree, error)
	// RenderRepository gives the files that the service has at the root of its
	// repository. Nil leaves them out.
	RenderRepository func(spec.Service, templates.RenderOptions) (templates.Tree, error)
	// TemplatesDigest names the embedded templates in the service's manifest.
	TemplatesDigest func() (string, error)
	// Ask builds the service in dir and runs commands of it, such as telemetry. Nil
	// leaves out what needs a service that builds.
	Ask func(ctx context.Context, dir, binary string, verbs []string) (map[string]Printed, error)
}

// CurrentBuild reads what the linker noted. Only a binary that was installed by
// version has a checksum of its own module; the version alone says nothing,
// since a checkout's depends on how it was built.
func CurrentBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	_, source, _, ok := runtime.Caller(0)
	if !ok {
		source = "" // which names no checkout
	}
	return buildOf(info, source)
}

// buildOf reads the build from what the linker recorded and the path of a source
// file of this package.
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

// ModulePath is the path of scaffold's own module. It is read from this
// package's path, so that a fork that renames its module needs no change here.
func ModulePath() string {
	return strings.TrimSuffix(reflect.TypeFor[Generator]().PkgPath(), "/internal/project")
}

// RuntimeImport is the path of the module that services import.
func RuntimeImport() string { return ModulePath() + "/runtime" }

// OpenWorkspace opens the directory of a service, which need not exist yet.
func (g Generator) OpenWorkspace(dir string) (*workspace.Workspace, error) {
	return g.openState(dir, workspace.DefaultState)
}

// openState opens a directory whose state lies in that place below it.
func (g Generator) openState(dir, state string) (*workspace.Workspace, error) {
	layer := workspace.Layer{Name: "scaffold", Version: g.Build.Version}
	if g.TemplatesDigest != nil {
		var err error
		if layer.Digest, err = g.TemplatesDigest(); err != nil {
			return nil, err
		}
	}
	return workspace.Open(dir, workspace.Options{
		Generator: g.Build.Version,
		Command:   ModulePath() + "/cmd/scaffold",
		Layers:    []workspace.Layer{layer},
		State:     state,
	})
}
