package merge

import (
	"bytes"
	"cmp"
	"errors"
	"go/version"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// module merges go.mod. Requirements are united, and the higher version wins. A line that one side removed and the
// other did not change is removed. Tools and exclusions of both sides are united. All other lines are the user's.
func module(name string, s Sides) ([]byte, error) {
	base, err := parse(name, s.Base)
	if err != nil {
		return nil, err
	}
	mine, err := parse(name, s.Mine)
	if err != nil {
		return nil, err
	}
	next, err := parse(name, s.New)
	if err != nil {
		return nil, err
	}
	mergeRequirements(base, mine, next)
	if err := mergeReplacements(base, mine, next); err != nil {
		return nil, err
	}
	if err := errors.Join(mergeVersions(base, mine, next), mergeOthers(base, mine, next)); err != nil {
		return nil, err
	}
	mine.SortBlocks()
	mine.Cleanup()
	return mine.Format()
}

func parse(name string, data []byte) (*modfile.File, error) { return modfile.Parse(name, data, nil) }

func mergeRequirements(base, mine, next *modfile.File) {
	was, has, will := requirements(base), requirements(mine), requirements(next)
	var out []*modfile.Require
	for path, r := range has {
		before, known := was[path]
		after, stays := will[path]
		switch {
		case !stays && known && before.Mod.Version == r.Mod.Version:
			continue
		case stays:
			r.Mod.Version = higher(r.Mod.Version, after.Mod.Version)
			if !known || before.Indirect == r.Indirect {
				r.Indirect = after.Indirect && (known || r.Indirect)
			}
		}
		out = append(out, r)
	}
	for path, r := range will {
		_, removed := was[path]
		if _, present := has[path]; !present && !removed {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *modfile.Require) int { return cmp.Compare(a.Mod.Path, b.Mod.Path) })
	mine.SetRequireSeparateIndirect(out)
}

func requirements(f *modfile.File) map[string]*modfile.Require {
	out := map[string]*modfile.Require{}
	for _, r := range f.Require {
		out[r.Mod.Path] = r
	}
	return out
}

func higher(a, b string) string {
	if semver.Compare(a, b) < 0 {
		return b
	}
	return a
}

// mergeReplacements keeps the user's, and follows scaffold where the user changed nothing.
func mergeReplacements(base, mine, next *modfile.File) error {
	was, has, will := replacements(base), replacements(mine), replacements(next)
	for old, r := range will {
		before, known := was[old]
		now, present := has[old]
		if !present && known || present && (!known || now != before) {
			continue // the user removed or changed it
		}
		if err := mine.AddReplace(old.path, old.version, r.path, r.version); err != nil {
			return err
		}
	}
	for old, r := range has {
		if before, known := was[old]; known && before == r {
			if _, stays := will[old]; !stays {
				if err := mine.DropReplace(old.path, old.version); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// target is a module with or without a version, or a directory.
type target struct{ path, version string }

func replacements(f *modfile.File) map[target]target {
	out := map[target]target{}
	for _, r := range f.Replace {
		out[target{r.Old.Path, r.Old.Version}] = target{r.New.Path, r.New.Version}
	}
	return out
}

// mergeVersions raises the versions of Go and of its toolchain, and follows scaffold in the module path unless the user changed it.
func mergeVersions(base, mine, next *modfile.File) error {
	if mine.Go != nil && next.Go != nil && version.Compare("go"+mine.Go.Version, "go"+next.Go.Version) < 0 {
		if err := mine.AddGoStmt(next.Go.Version); err != nil {
			return err
		}
	}
	if mine.Toolchain != nil && next.Toolchain != nil && version.Compare(mine.Toolchain.Name, next.Toolchain.Name) < 0 {
		if err := mine.AddToolchainStmt(next.Toolchain.Name); err != nil {
			return err
		}
	}
	if modulePath(mine) == modulePath(base) && modulePath(next) != "" {
		return mine.AddModuleStmt(modulePath(next))
	}
	return nil
}

// mergeOthers adds the tools and exclusions that scaffold added.
func mergeOthers(base, mine, next *modfile.File) error {
	var errs []error
	for _, t := range next.Tool {
		if !slices.ContainsFunc(base.Tool, func(b *modfile.Tool) bool { return b.Path == t.Path }) {
			errs = append(errs, mine.AddTool(t.Path))
		}
	}
	for _, e := range next.Exclude {
		if !slices.ContainsFunc(base.Exclude, func(b *modfile.Exclude) bool { return b.Mod == e.Mod }) {
			errs = append(errs, mine.AddExclude(e.Mod.Path, e.Mod.Version))
		}
	}
	return errors.Join(errs...)
}

func modulePath(f *modfile.File) string {
	if f.Module == nil {
		return ""
	}
	return f.Module.Mod.Path
}

// sums unites the lines of go.sum: one too many does no harm.
func sums(s Sides) []byte {
	var lines [][]byte
	for _, data := range [][]byte{s.Mine, s.New} {
		for line := range bytes.Lines(withoutCR(data)) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				lines = append(lines, line)
			}
		}
	}
	slices.SortFunc(lines, compareSums)
	lines = slices.CompactFunc(lines, bytes.Equal)
	return append(bytes.Join(lines, []byte("\n")), '\n')
}

// compareSums orders lines as the go command does: by module, version, and the sum of go.mod last.
func compareSums(a, b []byte) int {
	split := func(line []byte) (module, version string) {
		module, rest, _ := strings.Cut(string(line), " ")
		version, _, _ = strings.Cut(rest, " ")
		return module, strings.TrimSuffix(version, "/go.mod")
	}
	goMod := []byte("/go.mod ")
	moduleA, versionA := split(a)
	moduleB, versionB := split(b)
	return cmp.Or(cmp.Compare(moduleA, moduleB), semver.Compare(versionA, versionB), bytes.Count(a, goMod)-bytes.Count(b, goMod), bytes.Compare(a, b))
}
