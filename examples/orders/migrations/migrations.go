// Package migrations holds the schema of the database, one numbered file a
// change. A file that has reached production is never edited again.
package migrations

import "embed"

// FS holds the migrations.
//
//go:embed *.sql
var FS embed.FS
