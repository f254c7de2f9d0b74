package cli_test

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// large writes a file of the given size, or extends one with comments.
func large(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: large file bytes")
	}
	size := map[string]int{"2097152": 2 << 20, "17825792": 17 << 20}[args[1]]
	name := ts.MkAbs(args[0])
	src, err := os.ReadFile(name)
	if !os.IsNotExist(err) {
		ts.Check(err)
	}
	ts.Check(os.WriteFile(name, append(src, strings.Repeat("# "+strings.Repeat("x", 61)+"\n", size/64)...), 0o600))
}

// secret is in each of secretFiles.
const secret = "hunter2"

// secretFiles are typical files with secrets that a parser may quote in an error.
func secretFiles() map[string]string {
	return map[string]string{
		"shadow":      "root:hunter2$6$x:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n",
		"token":       "hunter2\n",
		"environment": "DATABASE_PASSWORD=hunter2\nTOKEN=hunter2\n",
		"key values":  "password: hunter2\nhunter2: x\n",
		"list":        "- password: hunter2\n- hunter2\n",
		"kubernetes":  "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: {hunter2: hunter2}\n",
		"json":        `{"password": "hunter2", "hunter2": 1}`,
		"json key":    `{"hunter2": 1, "version": 1}`,
		"json list":   `["hunter2"]`,
		"key":         "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
		"alias":       "a: *hunter2\n",
		"tag":         "a: !hunter2 x\n",
		"open":        "hunter2: [hunter2\n",
		"number":      "[\"hunter2\", *hunter2",
		"ini":         "[default]\naws_secret_access_key = hunter2\n",
		"page":        "# TYPE x counter\nhunter2 is a pass\n",
		"netrc":       "machine acme.test login a password hunter2\n",
	}
}

// secrets runs a command on a link to each of secretFiles and fails if the output contains the
// secret. FILE is the link, DIR a directory with the link as its scaffold.yaml, VERIFIED and
// CHECKED are services whose other files are such links.
func secrets(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: secrets command ...")
	}
	for name, content := range secretFiles() {
		dir, err := os.MkdirTemp(ts.Getenv("WORK"), "secret-")
		ts.Check(err)
		file := filepath.Join(dir, "secret")
		ts.Check(os.WriteFile(file, []byte(content), 0o600))
		command := append([]string{}, args...)
		for i, arg := range command {
			switch arg {
			case "FILE":
				command[i] = link(ts, file, filepath.Join(dir, "link.json"))
			case "DIR":
				command[i] = filepath.Dir(link(ts, file, filepath.Join(dir, "service", "scaffold.yaml")))
			case "VERIFIED", "CHECKED":
				command[i] = linkedService(ts, file, filepath.Join(dir, "service"))
			}
		}
		_ = ts.Exec(command[0], command[1:]...)
		for _, stream := range []string{"stdout", "stderr"} {
			if text := ts.ReadFile(stream); strings.Contains(text, secret) {
				ts.Fatalf("%s: %s shows a secret:\n%s", name, stream, text)
			}
		}
	}
}

func link(ts *testscript.TestScript, to, at string) string {
	ts.Check(os.MkdirAll(filepath.Dir(at), 0o700))
	ts.Check(os.Symlink(to, at))
	return at
}

// linkedService has a spec, and links as all other files that commands read.
func linkedService(ts *testscript.TestScript, file, dir string) string {
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(os.WriteFile(filepath.Join(dir, "scaffold.yaml"), []byte(ts.ReadFile("scaffold.yaml")), 0o600))
	for _, name := range []string{
		"go.mod", "Dockerfile", "Makefile", "verify.http", "api/openapi.json", "deploy/overlays/a/kustomization.yaml",
		"observability/telemetry.json", "observability/rules/a.rules.yaml", "observability/rules/own/b.rules.yaml", "observability/dashboards/a.json",
		"observability/runbooks/A.md", "observability/alertmanager.yaml", "observability/.scaffold-lint.yaml",
		"observability/stack/compose.yaml", "observability/stack/prometheus.yaml", "observability/stack/datasources.yaml",
	} {
		link(ts, file, filepath.Join(dir, filepath.FromSlash(name)))
	}
	return dir
}
