// Command demo generates a service, builds and tests it, sends requests to it, shows
// one request in every signal, injects an outage, shuts the service down under load
// and verifies the generated files. It exits with an error if a step does not behave
// as expected.
//
// `make demo` runs it from the root of the repository.
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
