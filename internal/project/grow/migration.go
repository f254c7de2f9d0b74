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
	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/spec"
)

// maxMigrationName is the maximum length of a name, so that lists of pending migrations stay readable.
const maxMigrationName = 60

var (
	migrationName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	migrationFile = regexp.MustCompile(`^([0-9]+)_(.+)\.(sql|go)$`)
)

// Migration adds a migration with the next number. The name is words joined by hyphens, such as add-shipped-at.
func Migration(s Service, name string) (Change, error) {
	if !migrationName.MatchString(name) || len(name) > maxMigrationName {
		return Change{}, argument("NAME", "%q is not a name of a migration; write up to %d lower-case letters, digits and single hyphens, such as add-shipped-at", name, maxMigrationName)
	}
	migrations, err := migrationsOf(s.Spec)
	if err != nil {
		return Change{}, err
	}
	list, err := s.migrations(migrations.Directory)
	if err != nil {
		return Change{}, err
	}
	snake := strings.ReplaceAll(name, "-", "_")
	for _, m := range list {
		if m.name == snake {
			return Change{}, argument("NAME", "%s has this name already; write another one", s.path(m.path))
		}
	}
	digits, number := 4, 1
	if last := len(list) - 1; last >= 0 {
		digits, number = list[last].digits, list[last].number+1
	}
	text, line := migrations.Write(name)
	file := path.Join(migrations.Directory, fmt.Sprintf("%0*d_%s.sql", digits, number, snake))
	return Change{
		Files: []templates.File{{Path: file, Mode: 0o644, Data: []byte(text), Owner: templates.UserOwned}},
		Next:  []string{fmt.Sprintf("Write the change of the schema at %s:%d. make test applies it.", s.path(file), line)},
	}, nil
}

// migrationsOf returns the migrations of the component that has them.
func migrationsOf(service spec.Service) (*component.Migrations, error) {
	for _, p := range service.Parts() {
		if p.Migrations != nil {
			return p.Migrations, nil
		}
	}
	var with []string
	for _, p := range spec.AllParts() {
		if p.Migrations != nil {
			with = append(with, "scaffold add "+p.Name)
		}
	}
	return nil, fmt.Errorf("no component of %s has a schema to migrate; add one with: %s", service.Name, strings.Join(with, ", or "))
}

// migration is a file with a migration.
type migration struct {
	path, name     string
	number, digits int
}

// migrations returns the migrations in the order of their numbers, which have neither gaps nor duplicates.
func (s Service) migrations(dir string) ([]migration, error) {
	entries, err := fs.ReadDir(s.Files, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no directory %s; run scaffold generate, which writes it", s.path(dir))
	}
	if err != nil {
		return nil, err
	}
	var list []migration
	var problems diagnostic.List
	for _, e := range entries { // sorted by name
		m := migration{path: path.Join(dir, e.Name())}
		parts := migrationFile.FindStringSubmatch(e.Name())
		if parts == nil {
			if path.Ext(e.Name()) == ".sql" {
				problems = append(problems, s.problem(m.path, "no number; name it such as %04d_%s", len(list)+1, e.Name()))
			}
			continue
		}
		m.name, m.digits = parts[2], len(parts[1])
		if m.number, err = strconv.Atoi(parts[1]); err != nil || m.number == 0 {
			problems = append(problems, s.problem(m.path, "%s is not a number of a migration; begin with 0001", parts[1]))
			continue
		}
		list = append(list, m)
	}
	return list, append(problems, s.misnumbered(list)...).Err()
}

func (s Service) misnumbered(list []migration) (problems diagnostic.List) {
	for i, m := range list {
		before := migration{}
		if i > 0 {
			before = list[i-1]
		}
		switch {
		case m.number == before.number:
			problems = append(problems, s.problem(m.path, "duplicate number %d, first in %s; give the migration that is not applied in production the next number", m.number, s.path(before.path)))
		case m.number < before.number:
			problems = append(problems, s.problem(m.path, "the number has fewer digits than that of %s and is sorted before it; write as many digits", s.path(before.path)))
		case m.number > before.number+1:
			problems = append(problems, s.problem(m.path, "there is no migration %d before it; restore it from version control, or renumber this one if no database has it", before.number+1))
		}
	}
	return problems
}
