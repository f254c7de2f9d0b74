// Package migrations embeds the database schema, one numbered file per change.
// Never edit a file that was applied in production.
package migrations

import "embed"

// FS contains the *.sql files.
//
//go:embed *.sql
var FS embed.FS
