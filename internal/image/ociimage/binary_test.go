package ociimage_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/image/ociimage"
)

// build compiles an empty program with additional environment variables and arguments.
func build(t *testing.T, env []string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module app.test/app\n\ngo 1.26.0\n", "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"build", "-o", "app"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append([]string{"GOWORK=off", "GOFLAGS=", "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0"}, env...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "app")
}

func TestProgramsThatDoNotRunInTheImageAreRejected(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := []string{"-trimpath", "-tags", "timetzdata"}
	for name, tt := range map[string]struct {
		path string
		want string
	}{
		"nothing":            {filepath.Join(t.TempDir(), "none"), "build the binary first"},
		"a script":           {text, "is not a Go program"},
		"for another system": {build(t, []string{"GOOS=darwin"}, good...), "without GOOS=linux"},
		"without time zones": {build(t, nil, "-trimpath"), "without -tags timetzdata"},
		"with paths":         {build(t, nil, "-tags", "timetzdata"), "without -trimpath"},
	} {
		if _, err := ociimage.OpenBinary(tt.path); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
	if _, err := ociimage.OpenBinary(build(t, nil, good...)); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

func TestImageHasMetadata(t *testing.T) {
	t.Parallel()
	b, err := ociimage.OpenBinary(build(t, nil, "-trimpath", "-tags", "other,timetzdata"))
	if err != nil {
		t.Fatal(err)
	}
	image, err := ociimage.Pack(b, ociimage.Options{
		Name: "orders", Version: "v1.4.2", Source: "https://git.acme.test/orders", Ports: []int{8080}, Created: time.Unix(1700000000, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != "arm64" || config.OS != "linux" || config.Config.User != "65532:65532" || config.Config.Entrypoint[0] != "/bin/orders" {
		t.Errorf("got %+v", config)
	}
	if got := config.Config.Labels; got["org.opencontainers.image.version"] != "v1.4.2" || got["org.opencontainers.image.source"] != "https://git.acme.test/orders" {
		t.Errorf("labels %v", got)
	}
	if _, ok := config.Config.ExposedPorts["8080/tcp"]; !ok || !config.Created.Equal(time.Unix(1700000000, 0)) {
		t.Errorf("ports %v, created %v", config.Config.ExposedPorts, config.Created)
	}
	if len(config.RootFS.DiffIDs) != 2 {
		t.Errorf("%d layers", len(config.RootFS.DiffIDs))
	}
}

func TestParseTag(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"orders:dev": true, "registry.acme.test/shop/orders:v1.4.2": true, "127.0.0.1:5000/orders:x": true,
		"orders": false, "orders:": false, "Orders:dev": false, "orders:v1+2": false, "registry.acme.test/orders@sha256:00": false,
	} {
		if _, err := ociimage.ParseTag(text); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}
