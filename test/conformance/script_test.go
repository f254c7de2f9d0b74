package conformance

import (
	"context"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// notApplicable are the upstream scripts that need data that the store omits on
// purpose. TestScriptsThatDoNotApplyFail checks the list.
var notApplicable = map[string]string{
	"start_timestamps.test": "start timestamps, which Prometheus stores only with --enable-feature=st-storage",
}

// onlyScript is the environment variable with the only script that a child process runs.
const onlyScript = "CONFORMANCE_SCRIPT"

// Number of scripts and minimum number of queries in v0.316.0. Fewer mean that scripts
// were omitted.
const scripts, evaluations = 22, 23_000

// chooser runs the selected scripts.
type chooser struct {
	*testing.T

	selected func(script string) bool
	ran      int
}

func (c *chooser) Run(name string, f func(*testing.T)) bool {
	script := path.Base(name)
	if !c.selected(script) {
		return true
	}
	c.ran++
	return c.T.Run(script, f)
}

// counter counts the queries of scripts.
type counter struct {
	promql.QueryEngine

	queries atomic.Int64
}

func (c *counter) NewInstantQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, at time.Time) (promql.Query, error) {
	c.queries.Add(1)
	return c.QueryEngine.NewInstantQuery(ctx, q, o, expr, at)
}

func (c *counter) NewRangeQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, from, to time.Time, step time.Duration) (promql.Query, error) {
	c.queries.Add(1)
	return c.QueryEngine.NewRangeQuery(ctx, q, o, expr, from, to, step)
}

func TestScriptsOfPrometheusPassOnOurStore(t *testing.T) {
	only := os.Getenv(onlyScript)
	c := &chooser{T: t, selected: func(script string) bool {
		if only != "" {
			return script == only
		}
		_, skip := notApplicable[script]
		return !skip
	}}
	engine := &counter{QueryEngine: promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)}
	promqltest.RunBuiltinTestsWithStorage(c, engine, func(testing.TB) storage.Storage {
		return adaptor{metricstore.New()}
	})
	if only != "" {
		return
	}
	t.Logf("%d scripts, %d queries; %d scripts do not apply", c.ran, engine.queries.Load(), len(notApplicable))
	if c.ran+len(notApplicable) != scripts || engine.queries.Load() < evaluations {
		t.Errorf("ran %d scripts with %d queries, want %d with at least %d in total; after an update of Prometheus, adapt these constants or notApplicable", c.ran, engine.queries.Load(), scripts, evaluations)
	}
}

// Each script in notApplicable fails; remove those that pass.
func TestScriptsThatDoNotApplyFail(t *testing.T) {
	t.Parallel()
	if os.Getenv(onlyScript) != "" {
		t.Skip("runs only in the parent process")
	}
	for script, reason := range notApplicable {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestScriptsOfPrometheusPassOnOurStore$", "-test.v")
		cmd.Env = append(slices.Clone(os.Environ()), onlyScript+"="+script)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "--- FAIL") {
			t.Errorf("%s passes or does not exist, although it needs %s; remove it from notApplicable: %v", script, reason, err)
		}
	}
}
