package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Exit codes of a service. 64 is EX_USAGE of sysexits.h.
const (
	exitDone  = 0
	exitError = 1
	exitUsage = 64
)

// Process is the environment of a service. Tests provide their own.
type Process struct {
	Args      []string                    // without the name of the program
	LookupEnv func(string) (string, bool) // if nil, no environment variable is set
	Stdout    io.Writer
	Stderr    io.Writer
	// Signals stop the service. If nil, these are SIGINT, SIGTERM and SIGHUP of the process.
	Signals <-chan os.Signal
	// Started is called once with the bound addresses after the start hooks, if it is not nil.
	// http is nil for a service without a handler, and admin with ADMIN_ADDR=off.
	Started func(http, admin net.Addr)
}

// Main runs the service and returns the exit code: 0 after a shutdown without errors, 1 after an
// error, 64 for invalid usage or configuration.
//
// The binary has these commands:
//
//	orders              serve requests until stopped
//	orders telemetry    print the declared metrics as JSON
//	orders openapi      print the OpenAPI document
//	orders config       print the environment variables; exit code 64 for an invalid value
//	orders version      print version, revision, Go version and owner
//	orders NAME         run a command declared with Service.Command
func Main(info Info, defaults Defaults, run func(context.Context, *Service) error) int {
	return Execute(context.Background(), Process{
		Args: os.Args[1:], LookupEnv: os.LookupEnv, Stdout: os.Stdout, Stderr: os.Stderr,
	}, info, defaults, run)
}

// Execute is [Main] with an explicit [Process].
func Execute(ctx context.Context, p Process, info Info, defaults Defaults, run func(context.Context, *Service) error) int {
	if p.LookupEnv == nil {
		p.LookupEnv = func(string) (string, bool) { return "", false }
	}
	root := newRoot(p, info, defaults, run)
	root.SetArgs(append([]string{}, p.Args...)) // nil would mean os.Args
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	p.printError(info.Name, err)
	if _, wrong := errors.AsType[usageError](err); wrong {
		return exitUsage
	}
	return exitError
}

// stderrTimeout is how long an exit waits for a blocked standard error.
const stderrTimeout = time.Second

func (p Process) printError(name string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), stderrTimeout)
	defer cancel()
	_ = await(ctx, func() error {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if _, err := fmt.Fprintf(p.Stderr, "%s: %s\n", name, line); err != nil {
				return err
			}
		}
		return nil
	})
}

func newRoot(p Process, info Info, defaults Defaults, run func(context.Context, *Service) error) *cobra.Command {
	wire := func(cmd *cobra.Command, verb string) error {
		svc, err := newService(p, info, defaults, verb)
		if err != nil {
			return err
		}
		err = run(cmd.Context(), svc)
		if _, unknown := errors.AsType[unknownCommand](err); unknown {
			svc.addCommands(cmd.Root())
			return usageError{newUnknownCommand(cmd.Root(), verb)}
		}
		if problems := errors.Join(svc.problems...); err != nil && problems != nil && svc.mode.isCommand() {
			return usageError{problems} // the cause, if wiring failed because of an incomplete configuration
		}
		return err
	}
	root := &cobra.Command{
		Use:           info.Name + " [command]",
		Long:          "Run the " + info.Name + " service. Without a command it serves requests until it is stopped.",
		Args:          atMost(1),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return wire(cmd, args[0])
			}
			return wire(cmd, verbServe)
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetUsageTemplate(usageTemplate)
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if svc, err := newService(p, info, defaults, verbHelp); err == nil && cmd == root {
			_ = run(cmd.Context(), svc) // declares commands; help needs no complete configuration
			svc.addCommands(root)
		}
		help(cmd, args)
	})
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	for verb, help := range map[string]string{
		verbServe:     "Serve requests until stopped (the default).",
		verbTelemetry: "Print the declared metrics as JSON.",
		verbOpenAPI:   "Print the OpenAPI document of the API.",
		verbConfig:    "Print all environment variables with type, default, value and description.",
	} {
		root.AddCommand(&cobra.Command{
			Use: verb, Short: help, Args: atMost(0),
			RunE: func(cmd *cobra.Command, _ []string) error { return wire(cmd, verb) },
		})
	}
	root.AddCommand(&cobra.Command{
		Use: "version", Short: "Print version, revision, Go version and owner.", Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return printVersion(cmd.OutOrStdout(), info, defaults) },
	})
	return root
}

// atMost rejects arguments beyond the first n.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return usageError{fmt.Errorf("unexpected argument %q; see %s --help", args[n], cmd.CommandPath())}
	}
}

// usageTemplate is cobra's with one usage line. Cobra's own has two for a runnable root command.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} [command]{{else}}{{.UseLine}}{{end}}
{{if .HasAvailableSubCommands}}
Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}
Flags:
{{.LocalFlags.FlagUsages}}`

// addCommands adds the declared commands to root, for help and suggestions.
func (s *Service) addCommands(root *cobra.Command) {
	for _, c := range s.commands {
		root.AddCommand(&cobra.Command{Use: c.name, Short: c.help, Run: func(*cobra.Command, []string) {}})
	}
}

type unknownCommand struct{}

func (unknownCommand) Error() string { return "unknown command" }

// suggestionDistance is cobra's default edit distance between a command and its suggestion.
const suggestionDistance = 2

func newUnknownCommand(root *cobra.Command, name string) error {
	root.SuggestionsMinimumDistance = suggestionDistance
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("unknown command %q; did you mean %s?", name, strings.Join(near, " or "))
	}
	var known []string
	for _, c := range root.Commands() {
		known = append(known, c.Name())
	}
	return fmt.Errorf("unknown command %q; known commands: %s", name, strings.Join(known, ", "))
}

// notify subscribes to the signals that stop the service. SIGHUP means that the terminal was
// closed; under nohup it stays ignored. notify also ignores SIGPIPE: by default, Go ends a
// process whose standard output was closed, as happens when a log collector restarts.
func (p Process) notify() (signals <-chan os.Signal, release func()) {
	if p.Signals != nil {
		return p.Signals, func() {}
	}
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(c, syscall.SIGHUP)
	}
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	return c, func() { signal.Stop(c); signal.Stop(pipe) }
}

func revision() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
