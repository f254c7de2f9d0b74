package pipelines

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCI runs the scripts in testdata/script with ./ci of a generated service, a fake
// cluster and a fake Prometheus. They have these additional commands:
//
//	status N command ...      run the command, which must exit with code N
//	prometheus [option=value] start a Prometheus; see prometheusServer
//	cluster word ...          set the behavior of the cluster; see kubectl_test.go
func TestCI(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["everything"])
	s.commit(t)
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	caches := strings.Fields(string(out))
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", withoutScaffold(env.Getenv("PATH")))
			env.Setenv("GOCACHE", caches[0])
			env.Setenv("GOMODCACHE", caches[1])
			env.Setenv("CLUSTER", filepath.Join(env.WorkDir, "cluster"))
			env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "kubeconfig"))
			env.Setenv("VERSION", "v2")
			env.Setenv("ANALYSIS_DURATION", "1s")
			env.Setenv("ANALYSIS_LABELS", "cluster=eu-1")
			env.Setenv("D1", "sha256:"+strings.Repeat("1", 64))
			env.Setenv("D2", "sha256:"+strings.Repeat("2", 64))
			env.Setenv("D3", "sha256:"+strings.Repeat("3", 64))
			return errors.Join(os.Mkdir(filepath.Join(env.WorkDir, "cluster"), 0o755), os.CopyFS(filepath.Join(env.WorkDir, "orders"), os.DirFS(s.dir)))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status, "prometheus": prometheusServer, "cluster": setBehavior},
	})
}

// withoutScaffold removes directories with an installed scaffold from PATH: scripts
// have fake ones.
func withoutScaffold(path string) string {
	directories := slices.DeleteFunc(filepath.SplitList(path), func(directory string) bool {
		_, err := os.Stat(filepath.Join(directory, "scaffold"))
		return err == nil
	})
	return strings.Join(directories, string(filepath.ListSeparator))
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command ...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func setBehavior(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("CLUSTER"), behavior), []byte(strings.Join(args, " ")), 0o644))
}

// prometheusServer is a Prometheus for rollout analyses. Options and their defaults:
//
//	instances=3 requests=1000 bad=0 fast=1000  results; none is an empty result
//	status=401                                 status of every response
//	from=1                                     first evaluation to which the options apply;
//	                                           earlier ones get the defaults
//
// The negated command sets an address without a listener.
func prometheusServer(ts *testscript.TestScript, neg bool, args []string) {
	options := map[string]string{}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		options[key] = value
	}
	from, err := strconv.Atoi("0" + options["from"])
	ts.Check(err)
	var evaluations atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.PostFormValue("query")
		if strings.HasPrefix(query, "count(") {
			evaluations.Add(1)
		}
		active := options
		if int(evaluations.Load()) < from {
			active = nil
		}
		if r.Header.Get("Authorization") != "Bearer t0ken" {
			http.Error(w, "invalid token", http.StatusUnauthorized)
			return
		}
		if status, err := strconv.Atoi(active["status"]); err == nil {
			http.Error(w, "no", status)
			return
		}
		option, number := defaultResult(query)
		if value := active[option]; value != "" {
			number = value
		}
		sample := ""
		if number != "none" {
			sample = fmt.Sprintf(`{"metric":{},"value":[1795851600,%q]}`, number)
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, sample)
	}))
	ts.Defer(server.Close)
	if neg {
		server.Close()
	}
	ts.Setenv("PROMETHEUS_URL", server.URL)
	ts.Setenv("PROMETHEUS_TOKEN", "t0ken")
}

// defaultResult returns the option for a query of the analysis and its default.
func defaultResult(query string) (option, number string) {
	switch {
	case strings.HasPrefix(query, "count("):
		return "instances", "3"
	case strings.Contains(query, "_bucket"):
		return "fast", "1000"
	case strings.Contains(query, "server_error|shed"):
		return "bad", "0"
	}
	return "requests", "1000"
}

// shellcheck accepts ./ci and detects mistakes in it.
func TestShellcheck(t *testing.T) {
	t.Parallel()
	check := func(text string) (string, error) {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), need(t, "shellcheck"), "--enable=all", "--exclude=SC2250,SC2310,SC2311,SC2312", "-")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for name, v := range variants() {
		text := generate(t, v).read(t, "ci")
		if out, err := check(text); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if name != "everything" {
			continue
		}
		for what, change := range map[string][2]string{
			"unquoted word":        {`cd "$(dirname "${BASH_SOURCE[0]}")"`, `cd $(dirname ${BASH_SOURCE[0]})`},
			"unused variable":      {"  local code=0\n", "  local code=0 cod=1\n"},
			"array without braces": {`${to[@]+"${to[@]}"}`, `$to[@]`},
			"unclosed block":       {"esac\n", "\n"},
		} {
			if out, err := check(replace(t, text, change[0], change[1])); err == nil {
				t.Errorf("%s is not detected:\n%s", what, out)
			}
		}
	}
}
