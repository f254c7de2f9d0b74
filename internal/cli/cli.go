// Package cli is the command line of scaffold: one file for each command, each
// split into what parses (newXCommand) and what runs (runX).
//
// [Main] runs a command of a [Factory], which holds everything that a command
// takes from outside: streams, environment, renderer, prompts and checks. There
// is no other state.
//
// # Output
//
// With --output json a command writes exactly one JSON document to standard
// output and nothing to standard error, whether it succeeds or not. Keys are
// camelCase and public; the types in this package that have JSON tags are their
// definition. A failure is {"error": {"message", "code", "problems"}}.
//
// # Exit codes
//
// [ExitDone], [ExitError], [ExitConflict], [ExitDrift] and [ExitUsage].
package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"reflect"
	goruntime "runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// Factory is what commands take from outside.
type Factory struct {
	Streams Streams
	Getenv  func(string) string
	Build   Build
	// Render turns a spec into the files of its service, without its state.
	Render func(spec.Service, templates.RenderOptions) (templates.Tree, error)
	// RenderRepository gives the files that the service has at the root of its
	// repository. Nil leaves them out.
	RenderRepository func(spec.Service, templates.RenderOptions) (templates.Tree, error)
	// TemplatesDigest names the embedded templates in the service's manifest.
	TemplatesDigest func() (string, error)
	// Prompt asks the user; it is called only when Streams.Terminal is set.
	Prompt func(context.Context, Streams, []Question) error
	// Checks run in scaffold check after the check for drift.
	Checks []Check
	// Ask builds the service in dir and runs commands of it, such as telemetry. Nil
	// leaves out what needs a service that builds.
	Ask func(ctx context.Context, dir, binary string, verbs []string) (map[string]Printed, error)
	// Wait waits between attempts to reach a server. Nil waits by the clock.
	Wait func(context.Context, time.Duration) error
}

// Streams are the standard streams.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Terminal bool // input and output are a terminal, so that questions make sense
}

// Build says which scaffold this is.
type Build struct {
	Version  string // as in v0.1.0; "devel" in a checkout
	Released bool   // installed by version: the runtime is required by version, too
	// RuntimeVersion and RuntimeSum are those of the runtime that a released
	// scaffold was built with, the sum as go.sum has it. Empty means the runtime
	// of the same version, with a sum that the go tool finds out.
	RuntimeVersion, RuntimeSum string
	Go                         string // version of Go it was built with
	// Checkout is the directory that a scaffold that is not released was built in;
	// empty when the build left out paths.
	Checkout string
	Revision string // commit of that checkout; empty when the build left it out
	Modified bool   // the checkout had changes that were not committed
}

// System is the factory of the real program.
func System(render func(spec.Service, templates.RenderOptions) (templates.Tree, error)) Factory {
	return Factory{
		Streams: Streams{
			In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
			Terminal: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())),
		},
		Getenv: os.Getenv,
		Build:  currentBuild(),
		Render: render,
		Ask:    AskService,

		RenderRepository: templates.RenderRepository,
		TemplatesDigest:  templates.Digest,
		Checks: []Check{
			namesCheck{}, routesCheck{}, lintCheck{}, signalsCheck{}, variablesCheck{}, goVersionCheck{}, replaceCheck{}, rulesCheck{}, deployCheck{},
		},
		Prompt: func(ctx context.Context, s Streams, q []Question) error {
			return ask(ctx, s, q, os.Getenv("ACCESSIBLE") != "")
		},
	}
}

// currentBuild reads what the linker noted. Only a binary that was installed by
// version has a checksum of its own module; the version alone says nothing,
// since a checkout's depends on how it was built.
func currentBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	_, source, _, ok := goruntime.Caller(0)
	if !ok {
		source = "" // which names no checkout
	}
	return buildOf(info, source)
}

// buildOf reads the build from what the linker recorded and the path of a source
// file of this package.
func buildOf(info *debug.BuildInfo, source string) Build {
	if info.Main.Sum == "" {
		b := Build{Version: "devel", Go: goruntime.Version(), Checkout: checkoutOf(source)}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
		return b
	}
	b := Build{Version: info.Main.Version, Released: true, Go: goruntime.Version()}
	for _, m := range info.Deps {
		if m.Path == runtimeImport() {
			b.RuntimeVersion, b.RuntimeSum = m.Version, m.Sum
		}
	}
	return b
}

// modulePath is the path of scaffold's own module. It is read from this
// package's path, so that a fork that renames its module needs no change here.
func modulePath() string {
	return strings.TrimSuffix(reflect.TypeFor[Factory]().PkgPath(), "/internal/cli")
}

func runtimeImport() string { return modulePath() + "/runtime" }

// openWorkspace opens the folder of a service, which need not exist yet.
func (f Factory) openWorkspace(dir string) (*workspace.Workspace, error) {
	return f.openState(dir, workspace.DefaultState)
}

// openState opens a folder whose state lies in that place below it.
func (f Factory) openState(dir, state string) (*workspace.Workspace, error) {
	layer := workspace.Layer{Name: "scaffold", Version: f.Build.Version}
	if f.TemplatesDigest != nil {
		var err error
		if layer.Digest, err = f.TemplatesDigest(); err != nil {
			return nil, err
		}
	}
	return workspace.Open(dir, workspace.Options{
		Generator: f.Build.Version,
		Command:   modulePath() + "/cmd/scaffold",
		Layers:    []workspace.Layer{layer},
		State:     state,
	})
}

// gcPercent collects garbage less often: a sixth of the CPU time of verify and new
// is collection otherwise, of heaps of 100 MB and 10 MB.
const gcPercent = 400

// Main runs the command that args name, without the program's name, and returns
// the exit code. Errors are written before it returns.
func Main(ctx context.Context, args []string, f Factory) int {
	if f.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	out := &recorder{to: f.Streams.Out}
	if !f.Streams.Terminal { // questions need the terminal itself
		f.Streams.Out = out
	}
	g := &globals{Factory: f}
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

// globals is the factory with the flags that every command has.
type globals struct {
	Factory
	output  string
	noColor bool
	// unwritten is why a document could not be encoded.
	unwritten error
}

func newRootCommand(g *globals) *cobra.Command {
	root := &cobra.Command{
		Use:   "scaffold",
		Short: "Generates Go services that are observable from their first minute",
		Long: "scaffold generates Go services that are observable from their first minute\n" +
			"and keeps them up to date. Begin with: scaffold new orders",
		Args:              unknownCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return g.prepare(cmd) },
		SilenceErrors:     true,
		SilenceUsage:      true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&g.output, "output", "text", "text or json; check and lint also have sarif and github")
	flags.BoolVar(&g.noColor, "no-color", false, "write no colours; NO_COLOR does the same")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, "%w", err) })
	offer(root, "output", formats())
	root.AddCommand(newNewCommand(g), newGenerateCommand(g), newCheckCommand(g), newLintCommand(g), newVerifyCommand(g), newImageCommand(g), newSBOMCommand(g), newSLOCommand(g), newBoardsCommand(g), newSpecCommand(g), newSchemaCommand(g), newVersionCommand(g), newCopyProgramCommand())
	return root
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

// prepare fills flags that were not given from the environment and checks the
// global ones.
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

// anyOf lists words as a choice.
func anyOf(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func formats() []string { return []string{"text", "json"} }

// offer lets the shell complete the values of a flag. It fails only for a flag
// that does not exist or was offered before, and then only completion suffers.
func offer(cmd *cobra.Command, flag string, values []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// atMost is the rule for positional arguments, in our words.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usage(cmd, "%q is one argument too many", args[n])
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
