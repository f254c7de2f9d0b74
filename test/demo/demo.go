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

	cli      string               // the built scaffold command
	store    string               // what keeps the orders
	database *postgrestest.Server // nil in memory
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

// command prints what a user would type and runs it. Its output is shown only
// when it fails.
func (d *demo) command(ctx context.Context, dir, typed string, args ...string) (string, error) {
	d.sayf("$ %s", typed)
	began := time.Now()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var output bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &output, &output
	if err := cmd.Run(); err != nil {
		return output.String(), fmt.Errorf("%s: %w\n%s", typed, err, output.String())
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

// chooseStore takes a throw-away PostgreSQL when the machine has its binaries.
func (d *demo) chooseStore(ctx context.Context) error {
	server, err := postgrestest.New(ctx)
	if errors.Is(err, postgrestest.ErrNotFound) {
		d.store = "memory"
		d.sayf("  no PostgreSQL on this machine: orders are kept in memory")
		return nil
	}
	if err != nil {
		return err
	}
	d.store, d.database = "postgres", server
	d.closers = append(d.closers, server.Close)
	d.sayf("  PostgreSQL found: orders are kept in a throw-away server")
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

// verify checks what was generated. Its steps are shown as they come: nobody likes
// to look at a silent terminal for half a minute.
func (d *demo) verify(ctx context.Context) error {
	d.title("Check it: every panel, every alert, every link")
	d.sayf("$ scaffold verify")
	cmd := exec.CommandContext(ctx, d.cli, "verify", "--progress")
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.dir, d.out, d.out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it stops what it started
	return cmd.Run()
}

func count(dir string) (files, lines int, err error) {
	err = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path) //nolint:gosec // the directory was made a moment ago
		files++
		lines += bytes.Count(data, []byte("\n"))
		return err
	})
	return files, lines, err
}
