// Package crd returns the definitions of the custom resources in generated
// manifests, from upstream releases.
//
// The definitions of Gateway API and KEDA are files in their module archives,
// whose digests are in this package. Those of the Prometheus operator are
// generated from its types with controller-gen, as upstream does: the last
// release of the module with the files has no native histograms.
package crd

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	_ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1" // input of controller-gen
	_ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// published is a file of a module.
type published struct{ module, version, sum, file string }

func files() []published {
	return []published{{
		"sigs.k8s.io/gateway-api", "v1.7.0", "h1:duVnm7nO6oXfMMUWfcDoBph47CYR/ME3NGxccOVglaY=",
		"config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
	}, {
		"github.com/kedacore/keda/v2", "v2.21.0", "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
		"config/crd/bases/keda.sh_scaledobjects.yaml",
	}}
}

const operatorTypes = "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring"

// Versions returns the version of each upstream module.
func Versions(ctx context.Context) (map[string]string, error) {
	versions := map[string]string{}
	for _, f := range files() {
		versions[f.module] = f.version
	}
	out, err := command(ctx, "list", "-m", "-f", "{{.Version}}", operatorTypes)
	versions[operatorTypes] = strings.TrimSpace(string(out))
	return versions, err
}

// Definitions returns those of HTTPRoute, ScaledObject, ServiceMonitor,
// PrometheusRule and AlertmanagerConfig.
func Definitions(ctx context.Context) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, f := range files() {
		data, err := f.read(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s@%s: %w", f.module, f.version, err)
		}
		definition, err := parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.file, err)
		}
		all = append(all, definition)
	}
	for pkg, resources := range map[string][]string{"/v1": {"servicemonitors", "prometheusrules"}, "/v1alpha1": {"alertmanagerconfigs"}} {
		operator, err := generate(ctx, operatorTypes+pkg, resources...)
		if err != nil {
			return nil, err
		}
		all = append(all, operator...)
	}
	return all, nil
}

func parse(data []byte) (*unstructured.Unstructured, error) {
	text, err := yaml.YAMLToJSON(data)
	if err != nil {
		return nil, err
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	unstructured.RemoveNestedField(o.Object, "status")
	return o, nil
}

// read returns the file from the module's archive. The modules are not
// dependencies because some need a newer Go.
func (p published) read(ctx context.Context) ([]byte, error) {
	out, runErr := command(ctx, "mod", "download", "-json", p.module+"@"+p.version)
	var module struct {
		Zip string `json:"Zip"`
		Sum string `json:"Sum"`
	}
	if err := json.Unmarshal(out, &module); err != nil || module.Zip == "" {
		return nil, fmt.Errorf("go mod download: %w: %s", runErr, out)
	}
	if module.Sum != p.sum {
		return nil, fmt.Errorf("digest %s, want %s: the module proxy serves another archive than the tested one", module.Sum, p.sum)
	}
	archive, err := zip.OpenReader(module.Zip)
	if err != nil {
		return nil, err
	}
	defer func() { _ = archive.Close() }()
	f, err := archive.Open(p.module + "@" + p.version + "/" + p.file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(f)
}

// generate returns the definitions of the resources that the package's types
// describe.
func generate(ctx context.Context, pkg string, resources ...string) ([]*unstructured.Unstructured, error) {
	dir, err := os.MkdirTemp("", "crd-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if out, err := command(ctx, "tool", "controller-gen", "crd:crdVersions=v1,maxDescLen=0", "paths="+pkg, "output:crd:dir="+dir); err != nil {
		return nil, fmt.Errorf("controller-gen: %w\n%s", err, out)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, path := range paths {
		_, resource, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".yaml"), "_")
		if !slices.Contains(resources, resource) {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		definition, err := parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, definition)
	}
	if len(all) != len(resources) {
		return nil, fmt.Errorf("controller-gen wrote %q, want %q", paths, resources)
	}
	return all, nil
}

// command runs go in this module, which pins controller-gen. It returns the
// output even with an error.
func command(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out, nil
}
