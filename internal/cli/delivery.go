package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/observability-first/scaffold/internal/lint/checks"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/push"
	"github.com/observability-first/scaffold/internal/source/userfile"
)

// deliveryOptions are the options of every command that pushes to a server.
type deliveryOptions struct {
	tokenFile string
	timeout   time.Duration
	dryRun    bool
}

func (o *deliveryOptions) register(flags *pflag.FlagSet, tokenVariable string) {
	flags.StringVar(&o.tokenFile, "token-file", "", "file that holds the token (default: "+tokenVariable+")")
	flags.DurationVar(&o.timeout, "timeout", push.DefaultTimeout, "timeout of one attempt; there are up to five")
	flags.BoolVar(&o.dryRun, "dry-run", false, "look up everything and write nothing")
}

// transport returns the options to connect and authenticate to a server.
func (g *globals) transport(address, tokenVariable string, o deliveryOptions) (push.Options, error) {
	if o.timeout <= 0 {
		return push.Options{}, push.OptionError(fmt.Sprintf("--timeout: %s is not positive; write a duration such as 30s", o.timeout))
	}
	token, err := push.Token(g.Getenv, tokenVariable, o.tokenFile)
	return push.Options{URL: address, Token: token, Timeout: o.timeout, Wait: g.Wait}, err
}

// misused turns an invalid request option into a usage error.
func misused(cmd *cobra.Command, err error) error {
	if is[push.OptionError](err) {
		return usage(cmd, "%w", err)
	}
	return err
}

// deliverable lists the files with the extension that the arguments select. A directory selects
// all files below it. No argument selects the directory below observability of the service
// around the working directory.
func deliverable(paths []string, directory, ending, none string) ([]string, error) {
	if len(paths) == 0 {
		dir, err := project.FindService("")
		if err != nil {
			return nil, err
		}
		paths = []string{filepath.Join(dir, "observability", directory)}
	}
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, userfile.ExplainMissing(filepath.ToSlash(path), err)
		}
		if !info.IsDir() {
			files = append(files, filepath.Clean(path))
			continue
		}
		before := len(files)
		for _, name := range checks.FindFiles(path, ".", filepath.Ext(ending)) {
			if strings.HasSuffix(name, ending) {
				files = append(files, filepath.Join(path, filepath.FromSlash(name)))
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s %s %s", path, none, path)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}
