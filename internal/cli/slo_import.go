package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/spec"
)

// importFlags add what files of other tools do not contain.
type importFlags struct {
	service  string
	selector map[string]string
	// scrapeInterval and environmentLabel are empty for their defaults.
	scrapeInterval   time.Duration
	environmentLabel string
}

func (f *importFlags) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.service, "service", "", "service to import if FILE has several; for Pyrra, which names none, the name to use")
	cmd.Flags().StringToStringVar(&f.selector, "selector", nil, "labels that select the series of an imported service, such as job=checkout (default: the job that all queries name, or else the service's name)")
	cmd.Flags().Lookup("selector").DefValue = "" // the description has it
	cmd.Flags().DurationVar(&f.scrapeInterval, "scrape-interval", 0, "scrape interval of an imported service (default "+model.Duration(slo.DefaultScrapeInterval).String()+")")
	cmd.Flags().StringVar(&f.environmentLabel, "environment-label", "", "label of the environment in the metrics of an imported service (default "+semconv.LabelEnvironment+")")
}

func (f *importFlags) validate(cmd *cobra.Command) error {
	for _, name := range slices.Sorted(maps.Keys(f.selector)) {
		if !model.LegacyValidation.IsValidLabelName(name) {
			return usage(cmd, "--selector: %q is not a label name; write label=value, such as job=checkout", name)
		}
		if f.selector[name] == "" {
			return usage(cmd, "--selector: label %s has no value; write label=value, such as job=checkout", name)
		}
	}
	if i := f.scrapeInterval; cmd.Flags().Changed("scrape-interval") && (i < slo.MinScrapeInterval || i > slo.MaxScrapeInterval || i%time.Second != 0) {
		return usage(cmd, "--scrape-interval: %s is not in whole seconds from %s to %s; write the interval of the scraper, such as 30s", i,
			model.Duration(slo.MinScrapeInterval), model.Duration(slo.MaxScrapeInterval))
	}
	if f.environmentLabel != "" && !model.LegacyValidation.IsValidLabelName(f.environmentLabel) {
		return usage(cmd, "--environment-label: %q is not a label name; write one such as env", f.environmentLabel)
	}
	return nil
}

// own rejects the import flags for a file of scaffold, which is the spec of a service if
// isService is set.
func (f *importFlags) own(name string, isService bool) error {
	for _, flag := range []struct {
		name, key, keyOfService string
		set                     bool
	}{
		{"service", "service", "name", f.service != ""},
		{"selector", "selector", "telemetry.selector", len(f.selector) > 0},
		{"scrape-interval", "scrapeInterval", "telemetry.scrapeInterval", f.scrapeInterval != 0},
		{"environment-label", "environmentLabel", "telemetry.environmentLabel", f.environmentLabel != ""},
	} {
		key := flag.key
		if isService {
			key = flag.keyOfService
		}
		if flag.set {
			return fmt.Errorf("--%s is for imported files; write %s into %s", flag.name, key, name)
		}
	}
	return nil
}

// objectives are the objectives of any kind of file.
type objectives struct {
	slo.Imported
	// problem returns a message for a path of the spec.
	problem  func(path, message string) diagnostic.Problem
	warnings []string // from the comparison with metrics
	foreign  bool     // the file has the format of another tool
}

// ownObjectives returns objectives whose paths are those of the spec.
func ownObjectives(own slo.Spec, name string, src []byte) objectives {
	return objectives{Imported: slo.Imported{Spec: own}, problem: func(path, message string) diagnostic.Problem {
		p := diagnostic.Problem{File: name, Path: path, Message: message}
		if doc, err := yamldoc.Parse(name, src, "apiVersion: scaffold", "slos:"); err == nil {
			doc.DecodeKey("slos", &[]slo.Objective{}) // records the positions of the keys
			p.Line, p.Column = doc.Place(path, 0)
			// YAML has more line ends than this; then the problem has no source line.
			if lines := strings.Split(string(src), "\n"); p.Line <= len(lines) {
				p.Source = strings.TrimRight(lines[p.Line-1], "\r")
			}
		}
		return p
	}}
}

// readObjectives reads objectives from any kind of file.
func (g *globals) readObjectives(file string, flags importFlags) (objectives, error) {
	if file == "" {
		var err error
		if file, err = project.FindService(""); err != nil {
			return objectives{}, err
		}
	}
	name, src, err := g.readInput(file)
	if err != nil {
		return objectives{}, err
	}
	return parseObjectives(name, src, flags)
}

func parseObjectives(name string, src []byte, flags importFlags) (objectives, error) {
	version := apiVersion(src)
	if version != slo.APIVersion && version != spec.APIVersion && slo.Importable(src) {
		imported, err := slo.Import(name, src, slo.ImportOptions{
			Service: flags.service, Selector: flags.selector,
			ScrapeInterval: flags.scrapeInterval, EnvironmentLabel: flags.environmentLabel,
		})
		return objectives{Imported: imported, problem: imported.Problem, foreign: true}, err
	}
	if err := flags.own(name, version == spec.APIVersion); err != nil {
		return objectives{}, err
	}
	if version == spec.APIVersion {
		defaults, err := project.ServiceDefaults(filepath.Dir(name), "")
		if err != nil {
			return objectives{}, err
		}
		service, err := defaults.Parse(name, src)
		return ownObjectives(service.SLO(), name, src), err
	}
	if err := yamldoc.Expect(src, "apiVersion: scaffold", "slos:", "apiVersion: openslo", "version: prometheus/", "apiVersion: sloth.", "apiVersion: pyrra."); err != nil {
		return objectives{}, diagnostic.List{{File: name, Message: err.Error()}}.Err()
	}
	own, err := slo.Parse(name, src)
	return ownObjectives(own, name, src), err
}

// checkAgainst compares objectives with the metrics of a source.
func (g *globals) checkAgainst(ctx context.Context, source string, in objectives) (warnings []string, err error) {
	s, err := g.showMetrics(ctx, source, in.Spec)
	if err != nil {
		return nil, err
	}
	return s.Check(in.Spec, in.problem)
}

// readInput reads a file, standard input for -, or the spec of the service in a directory.
func (g *globals) readInput(file string) (name string, src []byte, err error) {
	if file == "-" {
		src, err = userfile.ReadFrom(g.Streams.In, "standard input", userfile.Limit)
		return "standard input", src, err
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		if file, err = project.FindService(file); err != nil {
			return "", nil, err
		}
		file = filepath.Join(file, spec.FileName)
	}
	src, err = userfile.Read(file, userfile.Limit)
	return filepath.ToSlash(file), src, err
}
