package templates

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/observability-first/scaffold/internal/source/markdown"
	"github.com/observability-first/scaffold/templates/spec"
)

// Versions that generated files pin. They are here so that go.mod, Dockerfile, Makefile and
// pipelines of a service cannot differ.
const (
	goVersion       = "1.26.0" // minimum version that compiles the service
	goToolchain     = "1.26.8" // version of all builds
	golangciVersion = "v2.15.0"
)

// goImageDigest is the digest of the multi-platform manifest list of golang:1.26.8 of Docker's
// official images. Read on 2026-11-28 for that tag and for golang:1.26, both as pinned by
// Renovate and Dependabot.
const goImageDigest = "sha256:0f063af2d465d8dcae54cce04278ada488b96f77b42449c8d071e47d016cc65a"

// canonicalRuntime is the import path in the recorded go.mod files. A fork that renames the
// module must rename it here and there.
const canonicalRuntime = "github.com/observability-first/scaffold/runtime"

// unpublished is the version that go.mod requires together with a replace line.
const unpublished = "v0.0.0-00010101000000-000000000000"

// view is the data of the templates: the spec, the options, and values derived from both.
type view struct {
	spec.Service
	RenderOptions
	recorded recorded
	slots    []slots
	// Environment is the environment whose overlay is rendered.
	Environment string
	// Component is the data of the component or pattern whose template is rendered.
	Component any
}

func newView(service spec.Service, opts RenderOptions) (view, error) {
	v := view{Service: service, RenderOptions: opts}
	if v.RuntimeImport == "" {
		v.RuntimeImport = canonicalRuntime
	}
	var err error
	if v.recorded, err = recordedFor(v.Parts()); err != nil {
		return view{}, err
	}
	v.slots, err = slotsOf(v.Parts())
	return v, err
}

// Requires returns the require part of go.mod.
func (v view) Requires() string {
	version := v.RuntimeVersion
	if version == "" || v.RuntimeReplace != "" {
		version = unpublished
	}
	return strings.TrimRight(strings.NewReplacer(
		canonicalRuntime+" "+unpublished, v.RuntimeImport+" "+version,
	).Replace(string(v.recorded.requires)), "\n")
}

// Sums returns go.sum. If the runtime is required by version, it has two more lines: the sum of
// the files of the runtime, which only the released generator has, and the recorded sum of its
// go.mod.
func (v view) Sums() (string, error) {
	if v.RuntimeReplace != "" || v.RuntimeSum == "" {
		return string(v.recorded.sums), nil
	}
	mod, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(v.recorded.runtimeMod)), nil
	})
	if err != nil {
		return "", err
	}
	own := fmt.Sprintf("%[1]s %[2]s %[3]s\n%[1]s %[2]s/go.mod %[4]s\n", v.RuntimeImport, v.RuntimeVersion, v.RuntimeSum, mod)
	lines := slices.Collect(strings.Lines(string(v.recorded.sums)))
	at, _ := slices.BinarySearchFunc(lines, v.RuntimeImport, func(line, path string) int {
		first, _, _ := strings.Cut(line, " ")
		return strings.Compare(first, path)
	})
	return strings.Join(slices.Insert(lines, at, own), ""), nil
}

// GoVersion is the go line of go.mod.
func (view) GoVersion() string { return goVersion }

// GoToolchain is the version of Go that binaries and pipelines are built with.
func (view) GoToolchain() string { return goToolchain }

// GoImage is the image with that Go version, with tag and digest.
func (view) GoImage() string { return "golang:" + goToolchain + "@" + goImageDigest }

// GolangciVersion is the version of the linter.
func (view) GolangciVersion() string { return golangciVersion }

// AdminPort returns the port of the admin listener.
func (v view) AdminPort() (string, error) {
	_, port, err := net.SplitHostPort(v.Admin.Addr)
	if err != nil {
		return "", fmt.Errorf("admin.addr: %w", err)
	}
	return port, nil
}

// LatencyBounds returns the thresholds of the latency objectives, in seconds, as Go literals.
func (v view) LatencyBounds() string {
	var literals []string
	for _, t := range v.thresholds() {
		literals = append(literals, strconv.FormatFloat(t, 'g', -1, 64))
	}
	return strings.Join(literals, ", ")
}

// thresholds returns the thresholds of the latency objectives, in seconds.
func (v view) thresholds() []float64 {
	var list []float64
	for _, o := range v.SLOs {
		if o.Indicator.Latency != nil && o.Indicator.Latency.Histogram == "" {
			list = append(list, o.Indicator.Latency.Threshold.Seconds())
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// TraceRatioText returns the ratio as a Go literal.
func (v view) TraceRatioText() string {
	return strconv.FormatFloat(v.Telemetry.TraceRatio, 'g', -1, 64)
}

// DescriptionMarkdown returns the description as one Markdown paragraph.
func (v view) DescriptionMarkdown() string { return markdown.Escape(v.Description) }

// OwnerMarkdown returns the owner in Markdown.
func (v view) OwnerMarkdown() string { return markdown.Escape(v.Owner) }
