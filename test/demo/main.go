// Command demo is the whole promise in one run: it scaffolds a service, builds
// and tests it, starts it, drives it, shows one request in every signal, breaks
// it once and stops it under load. It ends by itself and fails when any of that
// does not hold.
//
// `make demo` runs it from the repository's root.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &demo{out: os.Stdout, dir: "demo/orders", keep: os.Getenv("KEEP") != ""}
	return errors.Join(d.run(ctx), d.close())
}
