package grow

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

var (
	migrationName = regexp.MustCompile(`^[a-z][a-z0-9]*([_-][a-z0-9]+)*$`)
	migrationFile = regexp.MustCompile(`^([0-9]+)_([^/]*)\.sql$`)
)

const (
	maxMigrationName = 100
	firstDigits      = 4  // of the number of the first migration
	timeDigits       = 14 // of numbers that are times, such as 20260131093000; between these are gaps
	migrationText    = `-- +goose Up
-- Instances of the previous version run on this schema during a rollout and after a rollback: add first, and remove what
-- they use in a later release. A change that waits for a lock blocks the requests behind it; limit the wait.
SET LOCAL lock_timeout = '5s';

-- +goose Down
SET LOCAL lock_timeout = '5s';
`
)

// Migration adds an empty migration with the next number.
func (s Service) Migration(name string) (Change, error) {
	if !migrationName.MatchString(name) || len(name) > maxMigrationName {
		return Change{}, diagnostic.List{{Message: fmt.Sprintf("%q is not a name for a migration; write lower-case words joined by - or _, such as add-shipped-at, of up to %d characters", name, maxMigrationName)}}
	}
	dir := migrationsOf(s.Spec.Parts())
	if dir == "" {
		return Change{}, fmt.Errorf("the service has no component with migrations; run %s", adders())
	}
	entries, err := fs.ReadDir(s.Files, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Change{}, err
	}
	name = strings.ReplaceAll(name, "-", "_")
	next, digits, problems := s.nextMigration(dir, name, entries)
	if len(problems) > 0 {
		return Change{}, problems
	}
	file := path.Join(dir, fmt.Sprintf("%0*d_%s.sql", digits, next, name))
	return Change{
		Files: []templates.File{{Path: file, Mode: fileMode, Data: []byte(migrationText)}},
		Next:  []string{fmt.Sprintf("Write the change below Up in %s, and below Down what reverts it.", file)},
	}, nil
}

// migration is a file that exists.
type migration struct {
	number int
	digits int
	file   string // as in errors
	name   string
}

// migrations returns the files in the order of their numbers.
func (s Service) migrations(dir string, entries []fs.DirEntry) (out []migration, problems diagnostic.List) {
	for _, e := range entries {
		parts := migrationFile.FindStringSubmatch(e.Name())
		if parts == nil {
			continue
		}
		file := s.at(path.Join(dir, e.Name()))
		n, err := strconv.Atoi(parts[1])
		if err != nil {
			problems = append(problems, diagnostic.Problem{File: file, Message: "the number is too large"})
			continue
		}
		out = append(out, migration{n, len(parts[1]), file, parts[2]})
	}
	slices.SortStableFunc(out, func(a, b migration) int { return cmp.Compare(a.number, b.number) })
	return out, problems
}

// nextMigration returns the number after the last one, and how many digits numbers have.
func (s Service) nextMigration(dir, name string, entries []fs.DirEntry) (next, digits int, problems diagnostic.List) {
	existing, problems := s.migrations(dir, entries)
	if len(existing) == 0 {
		return 1, firstDigits, problems
	}
	for i, m := range existing {
		report := func(format string, args ...any) {
			problems = append(problems, diagnostic.Problem{File: m.file, Message: fmt.Sprintf(format, args...)})
		}
		if m.name == name {
			report("it has this name; write another one")
		}
		if i == 0 {
			continue
		}
		switch before := existing[i-1]; {
		case m.number == before.number:
			report("%s has the number %d, too; give one of them the next number", before.file, m.number)
		case m.number > before.number+1 && m.digits < timeDigits:
			report("there is no migration %d before it; number migrations without gaps", m.number-1)
		}
	}
	return existing[len(existing)-1].number + 1, existing[0].digits, problems
}

// migrationsOf returns the directory of migrations, or "".
func migrationsOf(parts []spec.Part) string {
	for _, p := range parts {
		if p.Migrations != "" {
			return p.Migrations
		}
	}
	return ""
}

// adders returns the commands that add a component with migrations.
func adders() string {
	var out []string
	for _, p := range spec.AllParts() {
		if p.Migrations != "" {
			out = append(out, "scaffold add "+p.Name)
		}
	}
	return strings.Join(out, " or ")
}
