package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/push"
	"github.com/observability-first/scaffold/internal/source/userfile"
)

// storeFlag is the URL of a store.
type storeFlag struct {
	store         string // as in a query
	name          string
	flag          string
	url           string
	tokenVariable string
}

func (o renderOptions) stores() []storeFlag {
	return []storeFlag{
		{render.Prometheus, "Prometheus", "--source", o.source, prometheusToken},
		{render.Loki, "Loki", "--loki", o.loki, "SCAFFOLD_LOKI_TOKEN"},
		{render.Tempo, "Tempo", "--tempo", o.tempo, "SCAFFOLD_TEMPO_TOKEN"},
		{render.Pyroscope, "Pyroscope", "--pyroscope", o.profiles, "SCAFFOLD_PYROSCOPE_TOKEN"},
	}
}

// renderSource returns the source of the results, and the options of the pictures.
func (g *globals) renderSource(o renderOptions) (render.Options, render.Source, error) {
	location, err := o.location()
	if err != nil {
		return render.Options{}, nil, err
	}
	options := render.Options{
		Now: time.Now(), Location: location, Light: o.theme == "light", Width: o.width, ScrapeInterval: o.interval, Timeout: o.timeout, Variables: map[string][]string{},
	}
	for _, v := range o.vars {
		name, value, _ := strings.Cut(v, "=")
		options.Variables[name] = append(options.Variables[name], value)
	}
	if o.snapshot == "" {
		source, err := g.queryStores(o.stores())
		options.FromText, options.ToText = o.from, o.to
		return options, source, err
	}
	src, err := userfile.Read(o.snapshot, snapshotLimit)
	if err != nil {
		return options, nil, userfile.ExplainMissing(o.snapshot, err)
	}
	snapshot, err := render.ReadSnapshot(filepath.ToSlash(o.snapshot), src)
	if err != nil {
		return options, nil, err
	}
	if len(o.vars) > 0 {
		return options, nil, &UsageError{Command: "scaffold dashboards render", Err: oneSelection(snapshot.Variables)}
	}
	options.From, options.To, options.Now = snapshot.From, snapshot.To, snapshot.To
	options.ScrapeInterval = cmp.Or(snapshot.ScrapeInterval, options.ScrapeInterval)
	options.Width = cmp.Or(options.Width, snapshot.Width)
	return options, snapshot.Source(), nil
}

// oneSelection is the error of variables that are set for a snapshot.
func oneSelection(variables map[string][]string) error {
	var selected []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		selected = append(selected, name+": "+strings.Join(variables[name], ", "))
	}
	which := ""
	if len(selected) > 0 {
		which = " (" + strings.Join(selected, "; ") + ")"
	}
	return fmt.Errorf("a snapshot has one selection of variables%s; leave --var out", which)
}

// snapshotLimit is the largest snapshot that is read: more than ten times the largest that scaffold verify writes.
const snapshotLimit = 64 << 20

// queryStores returns a source that reads the stores, each with its own token, which no other server gets.
func (g *globals) queryStores(flags []storeFlag) (render.Source, error) {
	var stores render.Stores
	byName := map[string]storeFlag{}
	for _, f := range flags {
		byName[f.store] = f
		if f.url == "" {
			continue
		}
		read, err := g.reader(f.tokenVariable, 0) // render has a limit for all queries
		if err != nil {
			return nil, err
		}
		to := map[string]*render.Store{render.Prometheus: &stores.Prometheus, render.Loki: &stores.Loki, render.Tempo: &stores.Tempo, render.Pyroscope: &stores.Pyroscope}[f.store]
		token, _ := push.Token(g.Getenv, f.tokenVariable, "") // validated by the reader
		*to = render.Store{URL: f.url, Secret: token, Get: func(ctx context.Context, address string) ([]byte, error) {
			page, err := read(ctx, address)
			return page, g.explainStore(err, f.tokenVariable)
		}}
	}
	return func(ctx context.Context, q render.Query) (render.Result, error) {
		result, err := stores.Query(ctx, q)
		if f, ok := byName[q.Store]; ok && errors.Is(err, render.ErrNoStore) {
			err = noURLError(f)
		}
		return result, err
	}, nil
}

// noURLError is a query of a store without a URL.
type noURLError storeFlag

func (e noURLError) Error() string { return fmt.Sprintf("no URL for %s; set %s", e.name, e.flag) }

// Unwrap returns the error of package render, which shows it in another color.
func (noURLError) Unwrap() error { return render.ErrNoStore }

// explainStore adds what to do to the error of a store.
func (g *globals) explainStore(err error, tokenVariable string) error {
	var failed *url.Error
	var status statusError
	switch {
	case errors.As(err, &failed):
		return fmt.Errorf("%s does not respond: %w", failed.URL, failed.Err)
	case !errors.As(err, &status):
		return err
	case status.code == http.StatusNotFound:
		return fmt.Errorf("%w; check that the URL is the base URL of the API", err)
	}
	return fmt.Errorf("%w%s", err, g.tokenAdvice(status, tokenVariable))
}
