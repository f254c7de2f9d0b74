// Command rollout-analysis analyzes a version that was just rolled out, for pipelines:
//
//	go run .../rollout/rollout-analysis -file deploy/analysis.json -environment prod -version v1.4.0 -duration 10m
//
// It queries the Prometheus at PROMETHEUS_URL with the bearer token PROMETHEUS_TOKEN.
// ANALYSIS_LABELS has the values of the labels in the file, such as cluster=eu-1. The exit code
// is 0 if the analysis passed, 3 if it failed and the version should be rolled back, 4 if it is
// inconclusive, 64 for invalid usage, and 1 for any other error.
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
	exitPassed       = 0
	exitError        = 1
	exitFailed       = 3
	exitInconclusive = 4
	exitUsage        = 64
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

type options struct {
	file, environment, version string
	duration                   time.Duration
	minRequests                float64
	check                      bool
	url, token, labels         string
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	exit := func(code int, reason any) int {
		fmt.Fprintln(stderr, "rollout-analysis:", reason) //nolint:errcheck // the exit code is the result
		return code
	}
	o, err := parse(args, getenv, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitPassed
	}
	if err != nil {
		return exit(exitUsage, err)
	}
	analysis, err := read(o.file)
	if err != nil {
		return exit(exitError, err)
	}
	labels, err := analysis.ParseLabels(o.labels)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("ANALYSIS_LABELS=%q: %w", o.labels, err))
	}
	runner := rollout.Runner{
		Analysis: analysis, Environment: o.environment, Version: o.version, Labels: labels,
		Duration: o.duration, Interval: interval(o.duration), MinRequests: o.minRequests,
		Querier: rollout.Prometheus{URL: o.url, Token: o.token}, Clock: clock{}, Log: stdout,
	}
	if o.check {
		if err := runner.Check(ctx); err != nil {
			return exit(exitInconclusive, fmt.Errorf("rollout analysis would be inconclusive: %w", err))
		}
		return exitPassed
	}
	fmt.Fprintf(stdout, "analyzing %s %s in %s for %s\n", analysis.Service, o.version, o.environment, o.duration) //nolint:errcheck // the exit code is the result
	result, reason := runner.Run(ctx)
	fmt.Fprintf(stdout, "rollout analysis %s: %s\n", verb(result), reason) //nolint:errcheck // the exit code is the result
	return exitCode(result)
}

func verb(result rollout.Result) string {
	if result == rollout.Inconclusive {
		return "is inconclusive"
	}
	return result.String()
}

func exitCode(result rollout.Result) int {
	switch result {
	case rollout.Passed:
		return exitPassed
	case rollout.Failed:
		return exitFailed
	}
	return exitInconclusive
}

// interval returns a twentieth of the duration, but at most 30 s, the evaluation interval of
// pages.
func interval(duration time.Duration) time.Duration { return min(duration/20, 30*time.Second) }

func parse(args []string, getenv func(string) string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("rollout-analysis", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.file, "file", "deploy/analysis.json", "file of objectives and queries")
	f.StringVar(&o.environment, "environment", "", "environment of the rollout")
	f.StringVar(&o.version, "version", "", "version that was rolled out")
	f.DurationVar(&o.duration, "duration", 10*time.Minute, "duration of the analysis")
	f.Float64Var(&o.minRequests, "min-requests", rollout.MinRequests, "requests below which the analysis does not pass")
	f.BoolVar(&o.check, "check", false, "only check that the queries run")
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	o.url, o.token, o.labels = getenv("PROMETHEUS_URL"), getenv("PROMETHEUS_TOKEN"), getenv("ANALYSIS_LABELS")
	return o, o.validate(f.Args())
}

func (o options) validate(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	if o.environment == "" || o.version == "" {
		return errors.New("-environment and -version are required")
	}
	if o.duration < time.Second {
		return fmt.Errorf("-duration %s is too short; use a second or more", o.duration)
	}
	if o.minRequests < 1 {
		return fmt.Errorf("-min-requests %v is too low; use 1 or more", o.minRequests)
	}
	u, err := url.Parse(o.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("PROMETHEUS_URL is not a URL; set one such as http://prometheus.monitoring:9090")
	}
	return nil
}

func read(name string) (rollout.Analysis, error) {
	f, err := os.Open(name)
	if err != nil {
		return rollout.Analysis{}, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	analysis, err := rollout.Read(f)
	if err != nil {
		return rollout.Analysis{}, fmt.Errorf("%s: %w", name, err)
	}
	return analysis, nil
}

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
