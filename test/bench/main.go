package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
)

func main() { os.Exit(exit()) } //nolint:forbidigo // this is main

func exit() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	file := flags.String("o", "", "Markdown file for the results")
	only := flags.String("stack", "", "stack to measure in this process (internal)")
	how := flags.String("mode", string(onePercent), "sampling mode of -stack")
	n := flags.Int("n", 0, "number of requests to serve with -stack without counting allocations; 0 counts allocations")
	item := flags.String(itemFlag[1:], "", "item to serve with bare chi (internal)")
	onlyLoopback := flags.Bool("loopback", false, "compare only over loopback; arguments are environment variables of examples/minimal")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *item != "" {
		return serveItem(ctx, out, *item)
	}
	if *onlyLoopback {
		l, err := overLoopback(ctx, flags.Args()...)
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, l.String())
		return err
	}
	if *only == "" {
		return compare(ctx, out, *file)
	}
	s, err := named(*only)
	if err != nil {
		return err
	}
	if *n == 0 {
		c, err := allocations(s, mode(*how))
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(c)
	}
	h, err := s.build(mode(*how), &noExporter{})
	if err != nil {
		return err
	}
	return serve(h, mode(*how), *n)
}

// compare measures every stack in every mode and checks the limits.
func compare(ctx context.Context, out io.Writer, file string) error {
	valgrind, err := exec.LookPath("valgrind")
	if err != nil {
		fmt.Fprintln(os.Stderr, "SKIPPED: instruction counts, because valgrind is not installed (Debian: apt-get install valgrind)")
		valgrind = ""
	}
	var rows []row
	for _, s := range stacks() {
		for _, m := range modes() {
			if s.plain && m != onePercent {
				continue
			}
			fmt.Fprintf(os.Stderr, "measuring %s at %s\n", s.name, m)
			c, err := measure(ctx, s, m, valgrind)
			if err != nil {
				return err
			}
			rows = append(rows, row{s, m, c})
		}
	}
	fmt.Fprintln(os.Stderr, "comparing examples/minimal with bare chi over loopback")
	l, err := overLoopback(ctx)
	if err != nil {
		return err
	}
	text := report(rows) + "\n" + l.String()
	var handlers []handlerRow
	if valgrind != "" {
		fmt.Fprintln(os.Stderr, "comparing generated handlers with handlers by hand")
		if handlers, err = compareHandlers(ctx, valgrind); err != nil {
			return err
		}
		text += handlerReport(handlers)
	}
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	if file != "" && valgrind != "" {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return errors.Join(check(rows), l.check(), checkHandlers(handlers))
}
