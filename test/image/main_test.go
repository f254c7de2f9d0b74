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

// largestCommand is how big the stripped command may be. What packs images must
// not make it heavy.
const largestCommand = 45e6

// workshop is where the scaffold of this checkout and the services are. It holds
// the runtime, too: a service finds it by a relative path, as in a repository that
// holds both.
var workshop string

func TestMain(m *testing.M) {
	if root := os.Getenv(enterRoot); root != "" {
		fmt.Fprintln(os.Stderr, enter(root))
		os.Exit(1)
	}
	code, err := inWorkshop(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func inWorkshop(m *testing.M) (code int, err error) {
	if workshop, err = os.MkdirTemp("", "images-"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(workshop)) }()
	if err := os.CopyFS(filepath.Join(workshop, "runtime"), os.DirFS("../../runtime")); err != nil {
		return 1, err
	}
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(workshop, "bin", "scaffold"), "./cmd/scaffold")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("%w\n%s", err, out)
	}
	return m.Run(), nil
}

// run runs a command of a reader's shell in dir and returns what it printed.
func run(tb testing.TB, dir string, env []string, name string, args ...string) string {
	tb.Helper()
	out, err := try(tb.Context(), dir, env, name, args...)
	if err != nil {
		tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	path := filepath.Join(workshop, "bin") + string(filepath.ListSeparator) + os.Getenv("PATH")
	if name == "scaffold" {
		name = filepath.Join(workshop, "bin", name)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	// The Makefile decides on its own; DOCKER_CONFIG keeps the reader's logins out.
	cmd.Env = append(os.Environ(), append([]string{
		"PATH=" + path, "GOWORK=off", "GOFLAGS=", "MAKEFLAGS=", "MAKELEVEL=", "VERSION=", "IMAGE=", "PUSH=", "ARCH=",
		"SOURCE_DATE_EPOCH=", "DOCKER_CONFIG=" + filepath.Join(workshop, "nobody"),
	}, env...)...)
	cmd.Env = dropEmpty(cmd.Env)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// dropEmpty takes out variables that were emptied: make takes an empty one for a
// value.
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

// service makes a service.
func service(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	dir := filepath.Join(workshop, name)
	run(tb, workshop, nil, "scaffold", append([]string{"new", name, "--owner", "team-shop", "--module", "acme.test/" + name, "--runtime", "runtime"}, args...)...)
	return dir
}

var ordersOnce = sync.OnceValues(func() (string, error) {
	ctx := context.Background()
	dir := filepath.Join(workshop, "orders")
	if out, err := try(ctx, workshop, nil, "scaffold", "new", "orders", "--owner", "team-shop", "--module", "acme.test/orders", "--runtime", "runtime"); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	for _, target := range []string{"image", "sbom"} {
		if out, err := try(ctx, dir, nil, "make", target); err != nil {
			return "", fmt.Errorf("make %s: %w\n%s", target, err, out)
		}
	}
	return dir, nil
})

// orders is the directory of a service whose image and bill were made. Nobody
// changes it.
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

// digestOf is what make image wrote down.
func digestOf(tb testing.TB, dir string) string {
	tb.Helper()
	return string(bytes.TrimSpace(read(tb, dir, "bin", "image.digest")))
}

func TestTheCommandStaysSmall(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(filepath.Join(workshop, "bin", "scaffold"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > largestCommand {
		t.Errorf("the stripped command has %.1f MB, more than %.0f", float64(info.Size())/1e6, largestCommand/1e6)
	}
	t.Logf("%.1f MB", float64(info.Size())/1e6)
}
