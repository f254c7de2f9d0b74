package workspace

import (
	"testing"

	"github.com/observability-first/scaffold/templates"
)

// Older scaffolds had no journal. Their backups may be the only copy of an edit.
func TestTemporaryFilesWithoutAJournalAreReported(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	const backup, staged = "a/.old.go.scaffold-abcdefgh.old", ".r.md.scaffold-abcdef27.new"
	for _, name := range []string{
		backup, staged,
		// Not of recorded files, or without such a name:
		".Makefile.scaffold-abcdefgh.bak", ".Makefile.scaffold-abcdefg.new", ".Makefile.scaffold-ABCDEFGH.new", ".Makefile.scaffold-abcdefg1.new", "Makefile.scaffold-abcdefgh.new",
		".own.go.scaffold-abcdefgh.new", "a/.own.go.scaffold-abcdefgh.old", "other/.Makefile.scaffold-abcdefgh.new",
	} {
		put(t, dir, name, "mine")
	}
	was := snapshot(t, dir)
	for range 2 {
		equal(t, []Change{
			{Path: staged, Owner: templates.Block, Action: Orphaned, Note: "temporary file of r.md that a killed run left; copy what you need and delete it"},
			{Path: backup, Owner: templates.Generated, Action: Orphaned, Note: "temporary file of a/old.go that a killed run left; copy what you need and delete it"},
		}, apply(t, dir, before(t)))
		equal(t, was, snapshot(t, dir))
	}
}
