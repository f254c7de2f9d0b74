// Package cli is the command line of scaffold. Each command has a file with a function that
// parses (newXCommand) and one that runs (runX).
//
// [Main] runs a command of a [Factory], which contains all external dependencies of a command:
// streams, environment, renderer, prompts and checks. There is no other state.
//
// # Output
//
// With --output json a command writes exactly one JSON document to standard output and nothing
// to standard error, whether it succeeds or not. Keys are camelCase and public; the types in
// this package with JSON tags define them. A failure is {"error": {"message", "code",
// "problems"}}.
//
// # Exit codes
//
// [ExitDone], [ExitError], [ExitConflict], [ExitDrift] and [ExitUsage].
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/observability-first/scaffold/internal/lint/checks"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// Factory contains the external dependencies of commands.
type Factory struct {
	project.Generator

	Streams Streams
	Getenv  func(string) string
	// Prompt asks the user. It is called only if Streams.Terminal is set.
	Prompt func(context.Context, Streams, []Question) error
	// Checks run in scaffold check, after the check for drift.
	Checks []checks.Check
	// Wait waits between attempts to reach a server. Nil uses the clock.
	Wait func(context.Context, time.Duration) error
}

// Streams are the standard streams.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Terminal bool // input and output are a terminal
}

// System returns the factory of the real program.
func System(render func(spec.Service, templates.RenderOptions) (templates.Tree, error)) Factory {
	return Factory{
		Streams: Streams{
			In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
			Terminal: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())),
		},
		Getenv: os.Getenv,
		Generator: project.Generator{
			Build: project.CurrentBuild(), Render: render, RenderRepository: templates.RenderRepository,
			TemplatesDigest: templates.Digest, Ask: project.RunVerbs,
		},
		Checks: checks.All(),
		Prompt: func(ctx context.Context, s Streams, q []Question) error {
			return ask(ctx, s, q, os.Getenv("ACCESSIBLE") != "")
		},
	}
}

// gcPercent makes garbage collection less frequent. At the default, a sixth of the CPU time of
// verify and new is collection, of heaps of 100 MB and 10 MB.
const gcPercent = 400

// Main runs the command in args, without the name of the program, and returns the exit code. It
// writes errors before it returns.
func Main(ctx context.Context, args []string, f Factory) int {
	if f.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	out := &recorder{to: f.Streams.Out}
	if !f.Streams.Terminal { // prompts need the terminal itself
		f.Streams.Out = out
	}
	g := &globals{Factory: f, args: args}
	root := newRootCommand(g)
	root.SetArgs(args)
	root.SetIn(f.Streams.In)
	root.SetOut(f.Streams.Out)
	root.SetErr(f.Streams.Err)
	err := root.ExecuteContext(ctx)
	if err != nil {
		g.report(err)
	}
	if unwritten := cmp.Or(out.err, g.unwritten); unwritten != nil && (err == nil || exitCode(err) == ExitDrift) {
		g.warnf("scaffold: %s\n", unwritten)
		return ExitError
	}
	return exitCode(err)
}

// globals is the factory and the flags that every command has.
type globals struct {
	Factory
	args    []string
	output  string
	noColor bool
	// unwritten is the error from encoding a document.
	unwritten error
}

func newRootCommand(g *globals) *cobra.Command {
	root := &cobra.Command{
		Use:   "scaffold",
		Short: "Generate Go services with telemetry, alerts and dashboards",
		Long: "scaffold generates Go services with telemetry, alerts and dashboards, and keeps them up\n" +
			"to date. Start with: scaffold new orders",
		Args:              unknownCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return g.prepare(cmd) },
		SilenceErrors:     true,
		SilenceUsage:      true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&g.output, "output", "text", "output format: text or json; sarif and github in check and lint")
	flags.BoolVar(&g.noColor, "no-color", false, "disable colors (also with NO_COLOR)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, "%w%s", err, meantFlag(cmd, err)) })
	offer(root, "output", formats())
	root.AddCommand(newNewCommand(g), newAddCommand(g), newRemoveCommand(g), newRenameCommand(g), newGenerateCommand(g), newDiffCommand(g), newResolveCommand(g), newCheckCommand(g), newLintCommand(g), newVerifyCommand(g), newImageCommand(g), newSBOMCommand(g), newSLOCommand(g), newDashboardsCommand(g), newSpecCommand(g), newSchemaCommand(g), newVersionCommand(g), newCopyProgramCommand())
	return root
}

// meantFlag suggests a flag that is similar to an unknown one. Many tools call --output
// --format.
func meantFlag(cmd *cobra.Command, err error) string {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return ""
	}
	name := unknown.GetSpecifiedName()
	if name == "format" {
		name = "output"
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	if meant := diagnostic.Suggest(name, known); meant != "" {
		return fmt.Sprintf("; did you mean %q?", "--"+meant)
	}
	return ""
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	hint := diagnostic.DidYouMean(args[0], known)
	if hint == "" {
		hint = "; known: " + strings.Join(known, ", ")
	}
	return usage(cmd, "unknown command %q%s", args[0], hint)
}

// prepare sets flags from the environment and validates the global ones.
func (g *globals) prepare(cmd *cobra.Command) error {
	if err := g.flagsFromEnvironment(cmd); err != nil {
		return err
	}
	known := formats()
	if cmd.Annotations[findingsAnnotation] != "" {
		known = append(known, outputSARIF, outputGitHub)
	}
	if unknown := g.output; !slices.Contains(known, unknown) {
		g.output = "text"
		return usage(cmd, "--output: %q is not known; write %s%s", unknown, anyOf(known), diagnostic.DidYouMean(unknown, known))
	}
	if g.Getenv("NO_COLOR") != "" {
		g.noColor = true
	}
	return nil
}

func anyOf(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func formats() []string { return []string{"text", "json"} }

// offer registers shell completion for the values of a flag. It fails only if the flag does not
// exist or has completion already; then only completion is missing.
func offer(cmd *cobra.Command, flag string, values []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// atMost limits the number of positional arguments, with our own error message.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usage(cmd, "unexpected argument %q", args[n])
		}
		return nil
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, found := strings.CutSuffix(noun, "ry"); found {
		return fmt.Sprintf("%d %sries", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
