package postgres

import (
	"strings"

	"github.com/observability-first/scaffold/templates/component"
)

const migrationsDirectory = "migrations"

// migrations is what scaffold add migration writes. Without the timeout, a statement that waits for a lock blocks all later
// queries of the table.
func migrations(plural string) *component.Migrations {
	return &component.Migrations{Directory: migrationsDirectory, Write: func(name string) (string, int) {
		words := strings.ReplaceAll(name, "-", " ")
		head := "-- " + strings.ToUpper(words[:1]) + words[1:] + ".\n" +
			"--\n" +
			"-- During a rollout, and after a rollback, the previous version runs on this schema. Only add here: new columns are\n" +
			"-- nullable or have a default. Remove or rename in a later migration, when no deployed version uses the old form.\n" +
			"\n" +
			"-- +goose Up\n" +
			"-- Fail rather than block all queries of a table while waiting for its lock.\n" +
			"SET LOCAL lock_timeout = '5s';\n"
		text := head +
			"-- TODO: the change, such as ALTER TABLE " + table(plural) + " ADD COLUMN note text;\n" +
			"\n" +
			"-- +goose Down\n" +
			"-- TODO: the reverse, such as ALTER TABLE " + table(plural) + " DROP COLUMN note;\n"
		return text, strings.Count(head, "\n") + 1
	}}
}
