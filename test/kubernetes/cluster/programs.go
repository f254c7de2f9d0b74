package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// Versions of the programs. The libraries in the staging directory of Kubernetes
// have v0 instead of v1.
const (
	KubernetesVersion = "v1.37.2"
	stagingVersion    = "v0.37.2"
	EtcdVersion       = "v3.7.3"
)

// Programs is the directory of the built programs.
type Programs string

// Path returns the path of a program.
func (p Programs) Path(name string) string { return filepath.Join(string(p), name) }

// recipe describes how to build programs from one module of the Go module proxy.
type recipe struct {
	module, version string
	packages        map[string]string // program to package
	ldflags         string
	prints          string // part of the output of --version
}

func recipes() []recipe {
	stamp := "-X k8s.io/component-base/version."
	return []recipe{{
		module: "go.etcd.io/etcd/server/v3", version: EtcdVersion,
		packages: map[string]string{"etcd": "go.etcd.io/etcd/server/v3"},
		prints:   "etcd Version: " + strings.TrimPrefix(EtcdVersion, "v"),
	}, {
		module: "k8s.io/kubernetes", version: KubernetesVersion,
		packages: map[string]string{
			"kube-apiserver":          "k8s.io/kubernetes/cmd/kube-apiserver",
			"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
			"kubectl":                 "k8s.io/kubernetes/cmd/kubectl",
		},
		// Without these the server reports v0.0.0, which clients rely on.
		ldflags: stamp + "gitVersion=" + KubernetesVersion + " " + stamp + "gitMajor=1 " + stamp + "gitMinor=37",
		prints:  KubernetesVersion,
	}}
}

// Build returns the programs, and compiles those that are not in the user's
// cache: about ten minutes of CPU time for each release.
func Build(ctx context.Context) (Programs, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	p := Programs(filepath.Join(cache, "scaffold", "kubernetes-"+KubernetesVersion))
	for _, r := range recipes() {
		for name, pkg := range r.packages {
			if p.has(ctx, name, r.prints) {
				continue
			}
			if err := p.build(ctx, r, name, pkg); err != nil {
				return "", fmt.Errorf("build %s %s: %w", name, r.version, err)
			}
			if !p.has(ctx, name, r.prints) {
				return "", fmt.Errorf("build %s: the output of --version does not contain %q", name, r.prints)
			}
		}
	}
	return p, nil
}

// has runs the program, so that an incomplete file or another version counts as
// missing.
func (p Programs) has(ctx context.Context, name, prints string) bool {
	args := []string{"--version"}
	if name == "kubectl" {
		args = []string{"version", "--client"}
	}
	out, err := exec.CommandContext(ctx, p.Path(name), args...).Output()
	return err == nil && strings.Contains(string(out), prints)
}

// build compiles in a temporary module, and renames the program when it is
// complete.
func (p Programs) build(ctx context.Context, r recipe, name, pkg string) error {
	if err := os.MkdirAll(string(p), 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(string(p), "build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	mod, err := r.goMod(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), mod, 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-trimpath", "-ldflags", strings.TrimSpace("-s -w "+r.ldflags), "-o", name, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return os.Rename(filepath.Join(dir, name), p.Path(name))
}

// goMod returns a go.mod that requires the module. Kubernetes replaces its
// libraries with staging directories, which its module zip does not contain;
// goMod replaces them with their published versions.
func (r recipe) goMod(ctx context.Context) ([]byte, error) {
	source, err := download(ctx, r.module, r.version)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(source.GoMod)
	if err != nil {
		return nil, err
	}
	upstream, err := modfile.Parse(source.GoMod, data, nil)
	if err != nil {
		return nil, err
	}
	mod := &modfile.File{}
	err = errors.Join(mod.AddModuleStmt("scaffold.invalid/build"), mod.AddGoStmt(upstream.Go.Version), mod.AddRequire(r.module, r.version))
	for _, g := range upstream.Godebug {
		err = errors.Join(err, mod.AddGodebug(g.Key, g.Value))
	}
	for _, replaced := range upstream.Replace {
		if strings.HasPrefix(replaced.New.Path, "./staging/") {
			err = errors.Join(err, mod.AddReplace(replaced.Old.Path, "", replaced.Old.Path, stagingVersion))
		}
	}
	if err != nil {
		return nil, err
	}
	return mod.Format()
}

// downloaded is a module in the module cache.
type downloaded struct {
	GoMod string `json:"GoMod"`
	Zip   string `json:"Zip"`
	Error string `json:"Error"`
}

// download fetches go.mod and zip of a module, even if it needs a newer Go.
func download(ctx context.Context, module, version string) (downloaded, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module+"@"+version)
	cmd.Dir, cmd.Env = os.TempDir(), append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, runErr := cmd.Output()
	var d downloaded
	if err := json.Unmarshal(out, &d); err != nil {
		return d, fmt.Errorf("go mod download %s@%s: %w\n%s", module, version, errors.Join(runErr, err), &stderr)
	}
	if d.GoMod == "" || d.Zip == "" {
		return d, fmt.Errorf("go mod download %s@%s: %s", module, version, d.Error)
	}
	return d, nil
}
