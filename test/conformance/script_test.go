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

// notApplicable are the scripts of upstream that ask for what the store does not
// keep on purpose. TestScriptsThatDoNotApplyFail keeps the list exact.
var notApplicable = map[string]string{
	"start_timestamps.test": "start timestamps, which Prometheus stores only with --enable-feature=st-storage",
}

// onlyScript names the one script that a child of this test runs.
const onlyScript = "CONFORMANCE_SCRIPT"

// scripts are as many as v0.316.0 has; fewer mean that something was left out.
const scripts, evaluations = 22, 23_000

// chooser runs the scripts that it is asked to run.
type chooser struct {
	*testing.T

	wanted func(script string) bool
	ran    int
}

func (c *chooser) Run(name string, f func(*testing.T)) bool {
	script := path.Base(name)
	if !c.wanted(script) {
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
	c := &chooser{T: t, wanted: func(script string) bool {
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
		t.Errorf("%d scripts with %d queries were run; upstream has %d and more than %d: raise the numbers or the list with the version", c.ran, engine.queries.Load(), scripts, evaluations)
	}
}

// A script that passes does not belong on the list.
func TestScriptsThatDoNotApplyFail(t *testing.T) {
	t.Parallel()
	if os.Getenv(onlyScript) != "" {
		t.Skip("this is the child")
	}
	for script, reason := range notApplicable {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestScriptsOfPrometheusPassOnOurStore$", "-test.v")
		cmd.Env = append(slices.Clone(os.Environ()), onlyScript+"="+script)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "--- FAIL") {
			t.Errorf("%s is listed for needing %s, and passes, or is not there: %v", script, reason, err)
		}
	}
}
