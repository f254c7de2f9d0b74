// Command withpostgres runs a command with a PostgreSQL server.
//
//	go run .../postgrestest/withpostgres -- go run ./cmd/orders
//
// It uses the server at POSTGRES_URL. If that is not set, it starts a local server, whose data
// stay in .postgres, or in the directory that it prints if the server's account has no access to
// .postgres. The local server stops with the command.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
)

const variable = "POSTGRES_URL"

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	status, err := run(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres:", err)
		status = max(status, 1)
	}
	os.Exit(status)
}

func run(args []string) (status int, err error) {
	if len(args) == 0 {
		return 0, errors.New("missing command; usage: withpostgres -- go run ./cmd/orders")
	}
	if os.Getenv(variable) == "" {
		server, err := serve()
		if err != nil {
			return 1, err
		}
		defer func() { err = errors.Join(err, server.Close()) }()
		if err := os.Setenv(variable, server.URL); err != nil {
			return 1, err
		}
	}
	return command(args)
}

func serve() (*postgrestest.Server, error) {
	fmt.Fprintln(os.Stderr, "starting PostgreSQL")
	server, err := postgrestest.Serve(context.Background(), ".postgres")
	if errors.Is(err, postgrestest.ErrNotFound) {
		return nil, fmt.Errorf("%w; or set %s to an existing server, such as postgres://orders:secret@127.0.0.1:5432/orders", err, variable)
	}
	if err == nil {
		fmt.Fprintf(os.Stderr, "PostgreSQL data directory: %s\n", server.Data)
	}
	return server, err
}

// command runs args. It passes on signals, except those that the terminal sends to both
// processes.
func command(args []string) (status int, err error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx,gosec // signals end it; running the given command is its purpose
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	go func() {
		for sig := range signals {
			if sig == syscall.SIGTERM {
				_ = cmd.Process.Signal(sig) // it may have ended
			}
		}
	}()
	err = cmd.Wait()
	if exited, ok := errors.AsType[*exec.ExitError](err); ok {
		return exited.ExitCode(), nil
	}
	return 0, err
}
