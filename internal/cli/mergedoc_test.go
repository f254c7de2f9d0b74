package cli_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/cli"
)

// The worked example of docs/merge.md is what happens.
func TestEndToEndExampleOfMerges(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a service")
	}
	document, err := os.ReadFile("../../docs/merge.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(go|console)\n(.*?)```").FindAllStringSubmatch(string(document), -1)
	if len(blocks) != 4 {
		t.Fatalf("docs/merge.md has %d blocks of code, want 4", len(blocks))
	}
	edited, added, conflict, resolved := blocks[0][2], blocks[1][2], blocks[2][2], blocks[3][2]
	s := newService(t, "orders")
	s.edit("cmd/orders/main.go", "gadgets := store.NewMemory()\n", strings.TrimSpace(strings.ReplaceAll(edited, "orders", "gadgets"))+"\n")

	status, out, errs := s.scaffold("add", "postgres", "--dir", s.dir)
	if status != cli.ExitConflict {
		t.Errorf("add: status %d, want %d", status, cli.ExitConflict)
	}
	inOrder(t, "$ scaffold add postgres\n"+out+errs, added)
	text := strings.ReplaceAll(s.read("cmd/orders/main.go"), "gadgets", "orders")
	if !strings.Contains(text, conflict) {
		t.Errorf("main.go has\n%s\nwant\n%s", text, conflict)
	}
	yours := regexp.MustCompile(`(?s)<<<<<<< .*?=======\n|>>>>>>> [^\n]*\n`)
	s.write("cmd/orders/main.go", yours.ReplaceAllString(s.read("cmd/orders/main.go"), ""))
	said := "$ scaffold resolve\n" + s.run("resolve")
	status, out, errs = s.scaffold("generate", s.dir)
	if status != cli.ExitDone {
		t.Errorf("generate: status %d: %s", status, errs)
	}
	inOrder(t, said+"$ scaffold generate\n"+out, resolved)
	s.check(cli.ExitDone)
}

// inOrder checks that the text has the lines in this order; between ... may be others.
func inOrder(t *testing.T, text, want string) {
	t.Helper()
	rest := text
	for part := range strings.SplitSeq(want, "...\n") {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("got\n%s\nwant\n%s", text, want)
			return
		}
		rest = after
	}
}
