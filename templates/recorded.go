package templates

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/templates/spec"
)

// recorded is the output of package record for a service: requirements and sums of its module, and its declared
// signals.
type recorded struct {
	requires, sums, runtimeMod []byte
	signals                    declared.Signals
}

// RecordedPlural is the plural of the resource of the services that package record runs.
const RecordedPlural = "zzmany"

// recordedFor returns the output for a service with a pattern and components. Components are recorded with the default
// pattern, so that the requirements of the first one include those of the pattern.
func recordedFor(parts []spec.Part) (r recorded, err error) {
	if r.runtimeMod, err = fs.ReadFile(files, "files/recorded/runtime.mod"); err != nil {
		return recorded{}, err
	}
	included := true
	for i, part := range parts {
		more, err := readRecorded(part.Templates)
		if err != nil {
			return recorded{}, fmt.Errorf("%s: %w", part.Name, err)
		}
		if i == 0 {
			r.signals.Routes = more.signals.Routes
		}
		r.signals = withSignals(r.signals, more.signals)
		switch {
		case more.requires == nil:
			continue
		case included:
			r.requires, r.sums = more.requires, more.sums
		default:
			if r.requires, err = withRequirements(r.requires, more.requires); err != nil {
				return recorded{}, fmt.Errorf("%s: %w", part.Name, err)
			}
			r.sums = withSums(r.sums, more.sums)
		}
		included = i == 0 && part.Name == spec.Patterns()[0]
	}
	return r, nil
}

// readRecorded returns what is recorded for a pattern or component. Requirements and sums may be missing.
func readRecorded(from fs.FS) (r recorded, err error) {
	const signals = "recorded/signals.json"
	text, err := fs.ReadFile(from, signals)
	if err != nil {
		return recorded{}, err
	}
	if r.signals, err = ParseSignals(signals, text); err != nil {
		return recorded{}, err
	}
	r.requires, err = fs.ReadFile(from, "recorded/go.mod.txt")
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		r.sums, err = fs.ReadFile(from, "recorded/go.sum.txt")
	}
	return r, err
}

// withSignals returns the metrics of both, sorted by name.
func withSignals(a, b declared.Signals) declared.Signals {
	a.Metrics = slices.Clone(a.Metrics)
	for _, m := range b.Metrics {
		if _, found := a.Find(m.Name); !found {
			a.Metrics = append(a.Metrics, m)
		}
	}
	slices.SortFunc(a.Metrics, func(a, b declared.Metric) int { return cmp.Compare(a.Name, b.Name) })
	return a
}

// withSums returns the lines of both go.sum files, in the order of the go command: by module, then by version.
func withSums(a, b []byte) []byte {
	lines := slices.Concat(slices.Collect(strings.Lines(string(a))), slices.Collect(strings.Lines(string(b))))
	slices.SortFunc(lines, func(a, b string) int {
		moduleA, versionA := ofSum(a)
		moduleB, versionB := ofSum(b)
		return cmp.Or(cmp.Compare(moduleA, moduleB), semver.Compare(versionA, versionB), cmp.Compare(a, b))
	})
	return []byte(strings.Join(slices.Compact(lines), ""))
}

// ofSum returns the module and the version of a line of go.sum, such as example.com/a v1.2.0/go.mod h1:hash.
func ofSum(line string) (module, version string) {
	module, rest, _ := strings.Cut(line, " ")
	version, _, _ = strings.Cut(rest, " ")
	return module, strings.TrimSuffix(version, "/go.mod")
}

// withRequirements returns the requirements of both, with the higher version of each module.
func withRequirements(a, b []byte) ([]byte, error) {
	all := map[string]*modfile.Require{}
	for _, text := range [][]byte{a, b} {
		file, err := modfile.Parse("go.mod", text, nil)
		if err != nil {
			return nil, err
		}
		for _, r := range file.Require {
			if other := all[r.Mod.Path]; other != nil {
				r.Indirect = r.Indirect && other.Indirect
				if semver.Compare(other.Mod.Version, r.Mod.Version) > 0 {
					r.Mod.Version = other.Mod.Version
				}
			}
			all[r.Mod.Path] = r
		}
	}
	var direct, indirect strings.Builder
	for _, path := range slices.Sorted(maps.Keys(all)) {
		to, comment := &direct, ""
		if all[path].Indirect {
			to, comment = &indirect, " // indirect"
		}
		fmt.Fprintf(to, "\t%s %s%s\n", path, all[path].Mod.Version, comment)
	}
	return fmt.Appendf(nil, "require (\n%s)\n\nrequire (\n%s)\n", &direct, &indirect), nil
}
