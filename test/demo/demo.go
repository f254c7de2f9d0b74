package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// demo is one run.
type demo struct {
	out  io.Writer
	dir  string // of the generated service
	keep bool

	cli      string               // path of the built scaffold command
	store    string               // memory or postgres
	database *postgrestest.Server // nil for memory
	receiver *servicetest.Receiver
	service  *service
	closers  []func() error
}

func (d *demo) run(ctx context.Context) error {
	last := []func(context.Context) error{d.stopUnderLoad, d.verify}
	if d.keep {
		last = []func(context.Context) error{d.leaveRunning}
	}
	steps := append([]func(context.Context) error{
		d.build, d.chooseStore, d.scaffold, d.testService, d.start,
		d.drive, d.showOneRequest, d.showArtifacts, d.breakIt,
	}, last...)
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	d.sayNext()
	return nil
}

func (d *demo) close() error {
	var errs []error
	for _, c := range slices.Backward(d.closers) {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

func (d *demo) sayf(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) title(text string) {
	d.sayf("\n── %s %s", text, strings.Repeat("─", max(0, 70-len(text))))
}

// command prints the command as a user would type it and runs args. It returns the
// output.
func (d *demo) command(ctx context.Context, dir, line string, args ...string) (string, error) {
	d.sayf("$ %s", line)
	began := time.Now()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var output bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &output, &output
	if err := cmd.Run(); err != nil {
		return output.String(), fmt.Errorf("%s: %w\n%s", line, err, output.String())
	}
	d.sayf("  done in %.1f s", time.Since(began).Seconds())
	return output.String(), nil
}

func (d *demo) build(ctx context.Context) error {
	d.title("Build the scaffold command")
	cli, err := filepath.Abs(filepath.Join("bin", "scaffold"))
	if err != nil {
		return err
	}
	d.cli = cli
	_, err = d.command(ctx, ".", "go build -o bin/scaffold ./cmd/scaffold", "go", "build", "-o", d.cli, "./cmd/scaffold")
	return err
}

// chooseStore starts a temporary PostgreSQL server if its programs are installed.
func (d *demo) chooseStore(ctx context.Context) error {
	server, err := postgrestest.New(ctx)
	if errors.Is(err, postgrestest.ErrNotFound) {
		d.store = "memory"
		d.sayf("  PostgreSQL is not installed: orders are stored in memory")
		return nil
	}
	if err != nil {
		return err
	}
	d.store, d.database = "postgres", server
	d.closers = append(d.closers, server.Close)
	d.sayf("  PostgreSQL found: orders are stored in a temporary server")
	return nil
}

func (d *demo) scaffold(ctx context.Context) error {
	d.title("Scaffold a service")
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	args := []string{"new", "orders", "--dir", d.dir}
	if d.store == "postgres" {
		args = append(args, "--with", "postgres")
	}
	_, err := d.command(ctx, ".", "bin/scaffold "+strings.Join(args, " "), append([]string{d.cli}, args...)...)
	if err != nil {
		return err
	}
	files, lines, err := count(d.dir)
	d.sayf("  %d files, %d lines", files, lines)
	return err
}

func (d *demo) testService(ctx context.Context) error {
	d.title("Build and test it, unmodified")
	if _, err := d.command(ctx, d.dir, "cd "+d.dir+" && go build -o bin/orders ./cmd/orders", "go", "build", "-o", "bin/orders", "./cmd/orders"); err != nil {
		return err
	}
	_, err := d.command(ctx, d.dir, "go test ./...", "go", "test", "./...")
	return err
}

// verify runs scaffold verify with progress lines, because it takes half a minute.
func (d *demo) verify(ctx context.Context) error {
	d.title("Check it: every panel, every alert, every link")
	page := d.dir + "/bin/verify.html"
	d.sayf("$ scaffold verify --html %s %s", page, d.dir)
	cmd := exec.CommandContext(ctx, d.cli, "verify", "--progress", "--html", page, d.dir)
	cmd.Stdout, cmd.Stderr = d.out, d.out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it stops the processes that it started
	return cmd.Run()
}

func count(dir string) (files, lines int, err error) {
	err = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path) //nolint:gosec // the demo generated the directory
		files++
		lines += bytes.Count(data, []byte("\n"))
		return err
	})
	return files, lines, err
}
