package runtime

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	goruntime "runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/observability-first/scaffold/runtime/config"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/httpserver"
)

// Commands of every service.
const (
	verbTelemetry = "telemetry"
	verbOpenAPI   = "openapi"
	verbConfig    = "config"
	verbHelp      = "help"
)

func (s *Service) serveCommand(ctx context.Context) error {
	switch s.mode.verb {
	case verbTelemetry:
		return s.printSignals()
	case verbOpenAPI:
		return s.printOpenAPI(ctx)
	case verbConfig:
		if err := s.printConfig(); err != nil {
			return err
		}
		return s.wrongSettings()
	case verbHelp:
		return nil // newRoot lists the commands
	}
	return s.runCommand(ctx)
}

func (s *Service) printSignals() error {
	if s.handler != nil {
		if _, err := httpserver.New(s.observer, s.handler, s.routes...); err != nil {
			return err
		}
	}
	signals, err := declared.Signals{
		Service: s.info.Name, Routes: s.observer.Routes(), Metrics: s.telemetry.Metrics().Declarations(),
	}.JSON()
	if err != nil {
		return err
	}
	_, err = s.process.Stdout.Write(signals)
	return err
}

// openAPIPath is where API frameworks serve their OpenAPI document.
const openAPIPath = "/openapi.json"

func (s *Service) printOpenAPI(ctx context.Context) error {
	if s.handler == nil {
		return usageError{fmt.Errorf("%s has no HTTP handler", s.info.Name)}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, openAPIPath, http.NoBody)
	if err != nil {
		return err
	}
	response := memoryWriter{header: http.Header{}, status: http.StatusOK}
	s.handler.ServeHTTP(&response, r)
	if response.status != http.StatusOK {
		return fmt.Errorf("GET %s: status %d; serve an OpenAPI document there", openAPIPath, response.status)
	}
	// Decoding and encoding sorts the keys, so that the output is stable.
	var document any
	dec := json.NewDecoder(&response.body)
	dec.UseNumber()
	if err := dec.Decode(&document); err != nil {
		return fmt.Errorf("GET %s is not JSON: %w", openAPIPath, err)
	}
	enc := json.NewEncoder(s.process.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(document)
}

// memoryWriter stores a response. (Package httptest would add its flags to the service's binary.)
type memoryWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *memoryWriter) Header() http.Header         { return w.header }
func (w *memoryWriter) WriteHeader(status int)      { w.status = status }
func (w *memoryWriter) Write(b []byte) (int, error) { return w.body.Write(b) }

// ungrouped is the heading of the environment variables without a struct, at the end.
const ungrouped = "Other"

// printConfig prints the environment variables by group, in the order of their structs.
func (s *Service) printConfig() error {
	groups, names := map[string][]config.EnvVar{}, []string{}
	for _, v := range s.loader.EnvVars() {
		name := cmp.Or(v.Group, ungrouped)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		groups[name] = append(groups[name], v)
	}
	if _, found := groups[ungrouped]; found {
		names = append(slices.DeleteFunc(names, func(name string) bool { return name == ungrouped }), ungrouped)
	}
	var table bytes.Buffer
	tw := tabwriter.NewWriter(&table, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "VARIABLE\tTYPE\tDEFAULT\tVALUE\tDESCRIPTION")
	for _, name := range names {
		// The empty cells align the columns of all groups.
		_, _ = fmt.Fprintf(tw, "\t\t\t\t\n%s\t\t\t\t\n", name)
		for _, v := range groups[name] {
			printEnvVar(tw, v)
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		if _, err := fmt.Fprintln(s.process.Stdout, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// wrongSettings returns the problems of values that are set. Missing required values are no
// problem here: the table shows them, and the secrets may not be available where it is printed.
func (s *Service) wrongSettings() error {
	var found []error
	for _, err := range append(s.problems, s.loader.Check()) {
		list, ok := errors.AsType[*config.Error](err)
		if !ok {
			found = append(found, err)
			continue
		}
		for _, p := range list.Problems {
			if p.Where != "" {
				found = append(found, p)
			}
		}
	}
	if err := errors.Join(append(found, s.settings.Lifecycle.check())...); err != nil {
		return usageError{err}
	}
	return nil
}

func printEnvVar(w io.Writer, v config.EnvVar) {
	standard := cmp.Or(v.Default, "-")
	if v.Required {
		standard = "required"
	}
	meaning := v.Help
	if v.Allowed != "" {
		meaning += " (" + v.Allowed + ")"
	}
	_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.Name, v.Type, standard, cmp.Or(v.Value, "-"), meaning)
}

func (s *Service) runCommand(ctx context.Context) error {
	i := slices.IndexFunc(s.commands, func(c command) bool { return c.name == s.mode.verb })
	if i < 0 {
		return unknownCommand{}
	}
	if err := errors.Join(s.problems...); err != nil {
		return usageError{err}
	}
	c := s.commands[i]
	if err := s.telemetry.Start(ctx); err != nil {
		return err
	}
	failed := guard(ctx, c.hook)
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.settings.Lifecycle.StopTimeout/reserve)
	defer cancel()
	if err := s.telemetry.Shutdown(flush); err != nil {
		s.Logger().Warn("telemetry not flushed", "error", err)
	}
	return failed
}

func printVersion(w io.Writer, info Info, defaults Defaults) error {
	_, err := fmt.Fprintf(w, "%s %s\nrevision %s\ngo %s\nowner %s\n", info.Name, cmp.Or(info.Version, "dev"),
		cmp.Or(revision(), "unknown"), goruntime.Version(), cmp.Or(defaults.Owner, "none"))
	return err
}
