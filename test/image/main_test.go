package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// largestCommand is the maximum size of the stripped command in bytes. It limits
// the dependencies for packing images.
const largestCommand = 45e6

// workDir has the scaffold of this checkout, the services, and the runtime, which
// services replace by a relative path as in a monorepo.
var workDir string

func TestMain(m *testing.M) {
	if root := os.Getenv(enterRoot); root != "" {
		fmt.Fprintln(os.Stderr, enter(root))
		os.Exit(1)
	}
	code, err := inWorkDir(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func inWorkDir(m *testing.M) (code int, err error) {
	if workDir, err = os.MkdirTemp("", "images-"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(workDir)) }()
	if err := os.CopyFS(filepath.Join(workDir, "runtime"), os.DirFS("../../runtime")); err != nil {
		return 1, err
	}
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(workDir, "bin", "scaffold"), "./cmd/scaffold")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("%w\n%s", err, out)
	}
	return m.Run(), nil
}

// run runs a command in dir and returns its output.
func run(tb testing.TB, dir string, env []string, name string, args ...string) string {
	tb.Helper()
	out, err := try(tb.Context(), dir, env, name, args...)
	if err != nil {
		tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	path := filepath.Join(workDir, "bin") + string(filepath.ListSeparator) + os.Getenv("PATH")
	if name == "scaffold" {
		name = filepath.Join(workDir, "bin", name)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	// The Makefile uses its defaults; DOCKER_CONFIG hides the user's logins.
	cmd.Env = append(os.Environ(), append([]string{
		"PATH=" + path, "GOWORK=off", "GOFLAGS=", "MAKEFLAGS=", "MAKELEVEL=", "VERSION=", "IMAGE=", "PUSH=", "ARCH=",
		"SOURCE_DATE_EPOCH=", "DOCKER_CONFIG=" + filepath.Join(workDir, "nobody"),
	}, env...)...)
	cmd.Env = dropEmpty(cmd.Env)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// dropEmpty removes empty environment variables: make treats them as set.
func dropEmpty(env []string) []string {
	values := map[string]string{}
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		values[name] = value
	}
	var kept []string
	for name, value := range values {
		if value != "" {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}

// service generates a service and returns its directory.
func service(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	dir := filepath.Join(workDir, name)
	run(tb, workDir, nil, "scaffold", append([]string{"new", name, "--owner", "team-shop", "--module", "acme.test/" + name, "--runtime", "runtime"}, args...)...)
	return dir
}

var ordersOnce = sync.OnceValues(func() (string, error) {
	ctx := context.Background()
	dir := filepath.Join(workDir, "orders")
	if out, err := try(ctx, workDir, nil, "scaffold", "new", "orders", "--owner", "team-shop", "--module", "acme.test/orders", "--runtime", "runtime"); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	for _, target := range []string{"image", "sbom"} {
		if out, err := try(ctx, dir, nil, "make", target); err != nil {
			return "", fmt.Errorf("make %s: %w\n%s", target, err, out)
		}
	}
	return dir, nil
})

// orders returns the directory of a service with image and SBOM. Tests must not
// change it.
func orders(tb testing.TB) string {
	tb.Helper()
	dir, err := ordersOnce()
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

func read(tb testing.TB, elements ...string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// digestOf returns the digest that make image wrote.
func digestOf(tb testing.TB, dir string) string {
	tb.Helper()
	return string(bytes.TrimSpace(read(tb, dir, "bin", "image.digest")))
}

func TestTheCommandStaysSmall(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(filepath.Join(workDir, "bin", "scaffold"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > largestCommand {
		t.Errorf("the stripped command has %.1f MB, want at most %.0f", float64(info.Size())/1e6, largestCommand/1e6)
	}
	t.Logf("%.1f MB", float64(info.Size())/1e6)
}
