// Command burncheck judges a version that was just rolled out, for pipelines:
//
//	go run .../rollout/burncheck -gate deploy/gate.json -environment prod -version v1.4.0 -watch 10m
//
// It asks the Prometheus that PROMETHEUS_URL names, with the bearer token of
// PROMETHEUS_TOKEN. It exits with 0 when the version is healthy, 3 when it burns
// a budget and should be rolled back, 4 when nobody can say, 64 when it was
// called wrongly, 1 when anything else went wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/observability-first/scaffold/runtime/rollout"
)

// Exit codes. They are public.
const (
	exitHealthy = 0
	exitError   = 1
	exitBurning = 3
	exitUnknown = 4
	exitUsage   = 64
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

type options struct {
	gate, environment, version string
	watch                      time.Duration
	minEvents                  float64
	probe                      bool
	url, token                 string
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	o, err := parse(args, getenv, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitHealthy
	}
	if err != nil {
		fmt.Fprintln(stderr, "burncheck:", err) //nolint:errcheck // there is nobody to tell
		return exitUsage
	}
	gate, err := readGate(o.gate)
	if err != nil {
		fmt.Fprintf(stderr, "burncheck: %v\n", err) //nolint:errcheck // there is nobody to tell
		return exitError
	}
	watch := rollout.Watch{
		Gate: gate, Environment: o.environment, Version: o.version, For: o.watch, Every: every(o.watch), MinEvents: o.minEvents,
		Ask: rollout.Prometheus{URL: o.url, Token: o.token}, Clock: clock{}, Log: stdout,
	}
	if o.probe {
		if err := watch.Probe(ctx); err != nil {
			fmt.Fprintf(stderr, "burncheck: nobody could judge the new version: %v\n", err) //nolint:errcheck // there is nobody to tell
			return exitUnknown
		}
		return exitHealthy
	}
	fmt.Fprintf(stdout, "watching %s %s in %s for %s\n", gate.Service, o.version, o.environment, o.watch) //nolint:errcheck // nobody reads it then
	verdict, reason := watch.Run(ctx)
	fmt.Fprintf(stdout, "%s: %s\n", verdict, reason) //nolint:errcheck // nobody reads it then
	switch verdict {
	case rollout.Healthy:
		return exitHealthy
	case rollout.Burning:
		return exitBurning
	}
	return exitUnknown
}

// every is a twentieth of the watch and at most as long as a page tile.
func every(watch time.Duration) time.Duration { return min(watch/20, 30*time.Second) }

func parse(args []string, getenv func(string) string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("burncheck", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.gate, "gate", "deploy/gate.json", "file of objectives and queries")
	f.StringVar(&o.environment, "environment", "", "where the version was rolled out to")
	f.StringVar(&o.version, "version", "", "version that the new processes say they are")
	f.DurationVar(&o.watch, "watch", 10*time.Minute, "how long to watch")
	f.Float64Var(&o.minEvents, "min-events", rollout.MinEvents, "events below which a version is not called healthy")
	f.BoolVar(&o.probe, "probe", false, "only say whether the questions can be answered")
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	o.url, o.token = getenv("PROMETHEUS_URL"), getenv("PROMETHEUS_TOKEN")
	return o, o.check(f.Args())
}

func (o options) check(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("%q is one argument too many", rest[0])
	}
	if o.environment == "" || o.version == "" {
		return errors.New("-environment and -version have to be given")
	}
	if o.watch < time.Second {
		return fmt.Errorf("a watch of %s sees nothing; use a second or more", o.watch)
	}
	if o.minEvents < 1 {
		return fmt.Errorf("with %v events nothing can be told; use 1 or more", o.minEvents)
	}
	u, err := url.Parse(o.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("PROMETHEUS_URL is not the address of a Prometheus; write one such as http://prometheus.monitoring:9090")
	}
	return nil
}

func readGate(name string) (rollout.Gate, error) {
	f, err := os.Open(name)
	if err != nil {
		return rollout.Gate{}, err
	}
	defer f.Close() //nolint:errcheck // it was read
	gate, err := rollout.ReadGate(f)
	if err != nil {
		return rollout.Gate{}, fmt.Errorf("%s: %w", name, err)
	}
	return gate, nil
}

// clock is the real one.
type clock struct{}

func (clock) Now() time.Time { return time.Now() }

func (clock) Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
