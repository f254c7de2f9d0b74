package grow

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

var (
	migrationName = regexp.MustCompile(`^[a-z][a-z0-9]*([_-][a-z0-9]+)*$`)
	migrationFile = regexp.MustCompile(`^([0-9]+)_[^/]*\.sql$`)
)

const (
	maxMigrationName = 100
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
	next, width, problems := s.nextMigration(dir, name, entries)
	if len(problems) > 0 {
		return Change{}, problems
	}
	file := path.Join(dir, fmt.Sprintf("%0*d_%s.sql", width, next, name))
	return Change{
		Files: []templates.File{{Path: file, Mode: fileMode, Data: []byte(migrationText)}},
		Next:  []string{fmt.Sprintf("Write the change below Up in %s, and below Down what reverts it.", file)},
	}, nil
}

// nextMigration returns the number after the last one, and how many digits numbers have.
func (s Service) nextMigration(dir, name string, entries []fs.DirEntry) (next, width int, problems diagnostic.List) {
	next, width = 1, 4
	files := map[int]string{}
	for _, e := range entries {
		parts := migrationFile.FindStringSubmatch(e.Name())
		if parts == nil {
			continue
		}
		n, err := strconv.Atoi(parts[1])
		file := s.at(path.Join(dir, e.Name()))
		report := func(format string, args ...any) {
			problems = append(problems, diagnostic.Problem{File: file, Message: fmt.Sprintf(format, args...)})
		}
		switch {
		case err != nil:
			report("the number of the migration is too large")
			continue
		case files[n] != "":
			report("%s has the number %d, too; give one of them the next number", files[n], n)
		case len(files) > 0 && files[n-1] == "":
			report("the migration before it has not the number %d; number migrations without gaps", n-1)
		case len(files) == 0:
			width = len(parts[1])
		}
		if strings.TrimSuffix(e.Name(), ".sql") == parts[1]+"_"+name {
			report("a migration has this name; write another one")
		}
		files[n], next = file, max(next, n+1)
	}
	return next, width, problems
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
