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

// recordedFor returns the output for a service with components.
func recordedFor(parts []spec.Part) (r recorded, err error) {
	const dir = "files/recorded/"
	base := recordedFiles{files, dir + "service.mod", dir + "service.sum", dir + "service.signals.json"}
	if r.runtimeMod, err = fs.ReadFile(files, dir+"runtime.mod"); err != nil {
		return recorded{}, err
	}
	if r.requires, r.sums, r.signals, err = base.read(); err != nil {
		return recorded{}, err
	}
	own := false
	for _, part := range parts {
		more := recordedFiles{part.Templates, "recorded/go.mod.txt", "recorded/go.sum.txt", "recorded/signals.json"}
		requires, sums, signals, err := more.read()
		if err != nil {
			return recorded{}, fmt.Errorf("component %s: %w", part.Name, err)
		}
		r.signals = withSignals(r.signals, signals)
		switch {
		case requires == nil:
		case !own:
			r.requires, r.sums, own = requires, sums, true // they include those of every service
		default:
			if r.requires, err = withRequirements(r.requires, requires); err != nil {
				return recorded{}, fmt.Errorf("component %s: %w", part.Name, err)
			}
			r.sums = withSums(r.sums, sums)
		}
	}
	return r, nil
}

// recordedFiles are the names of recorded files.
type recordedFiles struct {
	from                    fs.FS
	requires, sums, signals string
}

// read returns the files. Requirements and sums may be missing.
func (f recordedFiles) read() (requires, sums []byte, signals declared.Signals, err error) {
	text, err := fs.ReadFile(f.from, f.signals)
	if err != nil {
		return nil, nil, declared.Signals{}, err
	}
	if signals, err = ParseSignals(f.signals, text); err != nil {
		return nil, nil, declared.Signals{}, err
	}
	requires, err = fs.ReadFile(f.from, f.requires)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, signals, nil
	}
	if err == nil {
		sums, err = fs.ReadFile(f.from, f.sums)
	}
	return requires, sums, signals, err
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

// withSums returns the lines of both go.sum files.
func withSums(a, b []byte) []byte {
	lines := slices.Concat(slices.Collect(strings.Lines(string(a))), slices.Collect(strings.Lines(string(b))))
	slices.Sort(lines)
	return []byte(strings.Join(slices.Compact(lines), ""))
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
