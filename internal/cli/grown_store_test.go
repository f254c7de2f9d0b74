package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/cli"
)

// The steps in the message are sufficient to change the store of a service, in both directions.
func TestEndToEndStoreChange(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const components = "components: {postgres: {}}\n"
	s.edit("scaffold.yaml", "slos:\n", components+"slos:\n")
	s.follow("copy OTHER/migrations")
	s.passes()
	s.edit("scaffold.yaml", components, "")
	s.follow("remove migrations")
	s.passes()
}

// follow runs the steps of the message, with a temporary directory for OTHER.
func (s shop) follow(wantStep string) {
	s.t.Helper()
	status, _, errs := s.scaffold("generate", s.dir)
	if status == cli.ExitDone || !strings.Contains(errs, wantStep) {
		s.t.Fatalf("generate: status %d, %s", status, errs)
	}
	other := s.t.TempDir()
	inOther := func(path string) string { return strings.Replace(path, "OTHER", other, 1) }
	done := 0
	for _, step := range regexp.MustCompile(`\(\d\) ([^;\n]*)`).FindAllStringSubmatch(errs, -1) {
		done++
		instruction, _, _ := strings.Cut(step[1], ", or ")
		if _, command, found := strings.Cut(instruction, "in another directory: "); found {
			s.elsewhere(command, other)
			continue
		}
		if instruction == "run scaffold generate again" {
			break
		}
		for part := range strings.SplitSeq(instruction, " and ") {
			if path, found := strings.CutPrefix(part, "remove "); found {
				s.must(os.RemoveAll(filepath.Join(s.dir, path)))
				continue
			}
			from, found := strings.CutPrefix(part, "copy ")
			if !found {
				s.t.Fatalf("unexpected step: %s", step[0])
			}
			s.copy(inOther(from), strings.TrimPrefix(from, "OTHER/"))
		}
	}
	if done != 6 {
		s.t.Fatalf("%d steps, want 6: %s", done, errs)
	}
	if status, out, errs := s.scaffold("generate", s.dir); status != cli.ExitDone {
		s.t.Fatalf("generate: status %d, %s%s", status, out, errs)
	}
}

func (s shop) elsewhere(command, other string) {
	s.t.Helper()
	if want := "mkdir -p OTHER && cp " + filepath.ToSlash(s.dir) + "/scaffold.yaml OTHER && scaffold generate OTHER"; command != want {
		s.t.Fatalf("got  %s\nwant %s", command, want)
	}
	s.must(os.WriteFile(filepath.Join(other, "scaffold.yaml"), []byte(s.read("scaffold.yaml")), 0o600))
	runtime, err := filepath.Abs("../../runtime")
	s.must(err)
	if status, out, errs := s.scaffold("generate", other, "--runtime", runtime); status != cli.ExitDone {
		s.t.Fatalf("generate: status %d, %s%s", status, out, errs)
	}
}

func (s shop) copy(from, to string) {
	s.t.Helper()
	info, err := os.Stat(from)
	s.must(err)
	if info.IsDir() {
		s.must(os.CopyFS(filepath.Join(s.dir, to), os.DirFS(from)))
		return
	}
	text, err := os.ReadFile(from)
	s.must(err)
	s.write(to, string(text))
}

func (s shop) passes() {
	s.t.Helper()
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
		command := exec.CommandContext(s.t.Context(), "go", args...)
		command.Dir = s.dir
		if out, err := command.CombinedOutput(); err != nil {
			s.t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	s.check(cli.ExitDone)
}

func (s shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
