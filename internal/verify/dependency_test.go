package verify

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/component"
)

func database() double {
	return double{Double: component.Double{Name: "the database", Check: "database", Required: true}}
}

func TestServiceWithoutADatabaseHasNoChecks(t *testing.T) {
	t.Parallel()
	s := &session{}
	if err := s.dependencies(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantChecks(t, s)
}

func TestServiceStaysReadyWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	const claim = "the service stays ready while the database is stopped: "
	for status, want := range map[int]string{
		http.StatusOK:                 "passed: /readyz responds with 200",
		http.StatusServiceUnavailable: "failed: /readyz responds with 503: an outage of the database would remove all instances from the load balancer",
	} {
		service := newService(t, "")
		service.ready.Store(int64(status))
		s := &session{child: service.child}
		s.judgeReadiness(t.Context(), database())
		wantChecks(t, s, claim+want)
	}
	s := &session{child: &child{admin: "http://[::1"}}
	s.judgeReadiness(t.Context(), database())
	if got := checksOf(s); len(got) != 1 || !strings.HasPrefix(got[0], claim+"failed: /readyz responds with 0") {
		t.Errorf("got %q", got)
	}
}

func firing(alert string, after time.Duration, pairs ...string) rulesim.Firing {
	return rulesim.Firing{Alert: alert, Labels: labels.FromStrings(pairs...), FiredAt: scrapedAt().Add(after)}
}

// checksSession has a dashboard with a panel on health checks, and its file.
func checksSession(t *testing.T, expr string) *session {
	t.Helper()
	b, src := dashboardAndFile(t, `{"name":"job","type":"custom","query":"shop"}`, fmt.Sprintf(`{"type":"stat","title":"Other","targets":[{"expr":"jobs_total"}]},
		{"type":"stat","title":"Failing checks","gridPos":{"w":6,"h":4},"targets":[{"expr":%q,"legendFormat":"{{check}}","instant":true}],
		"fieldConfig":{"defaults":{"thresholds":{"mode":"absolute","steps":[{"color":"green","value":null},{"color":"red","value":1}]}}}}`, expr))
	s := dashboardSession(t, b)
	s.subject.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(s.subject.Dir, b.File), src, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDatabaseOutageFiresAlerts(t *testing.T) {
	t.Parallel()
	const page, ticket, panel = "an outage of the database pages: ", "a ticket names the database: ", "a panel names the database: "
	const expr = `runtime_health_check_up{job="$job"} == bool 0`
	const paged, named, shown = page + "passed: ThingsErrorBudgetBurn fires 5m0s after it was stopped", ticket + "passed: CheckFails fires 1m0s after it was stopped", panel + "passed: panel Failing checks shows the check database in red"
	const unpaged, unnamed, unshown = page + "failed: no burn-rate alert pages within 30m0s of simulated time", ticket + "failed: no alert names the failing check database", panel + "failed: the health check database does not fail"
	const unseen = panel + "failed: no panel shows the failing check database in red"
	burns := firing("ThingsErrorBudgetBurn", 5*time.Minute, slo.LabelLong, "1h")
	fails := firing("CheckFails", time.Minute, "check", "database")
	const opens = "an outage of the database opens a ticket: "
	optional := double{Double: component.Double{Name: "the database", Check: "database", Alert: "CallsFail", AlertLabels: map[string]string{"service_peer_name": "stock"}}}
	for name, tc := range map[string]struct {
		double double
		fired  []rulesim.Firing
		up     float64
		expr   string
		want   []string
	}{
		"an alert of its own":      {optional, []rulesim.Firing{fails, firing("OrdersCallsFail", time.Minute, "service_peer_name", "payments"), firing("OrdersCallsFail", 2*time.Minute, "service_peer_name", "stock")}, 0, expr, []string{opens + "passed: OrdersCallsFail fires 2m0s after it was stopped", named, shown}},
		"no alert of its own":      {optional, []rulesim.Firing{fails, burns}, 0, expr, []string{opens + "failed: no alert CallsFail fires within 30m0s of simulated time", named, shown}},
		"another check fails":      {database(), []rulesim.Firing{burns, firing("CheckFails", time.Minute, "check", "queue")}, 0, expr, []string{paged, unnamed, shown}},
		"all of them":              {database(), []rulesim.Firing{burns, fails}, 0, expr, []string{paged, named, shown}},
		"a failing check in green": {database(), []rulesim.Firing{burns, fails}, 0, `runtime_health_check_up{job="$job"}`, []string{paged, named, unseen}},
		"none of them":             {database(), nil, 1, expr, []string{unpaged, unnamed, unshown}},
		"another window":           {database(), []rulesim.Firing{firing("ThingsErrorBudgetBurn", time.Minute, slo.LabelLong, "3d"), fails}, 0, expr, []string{unpaged, named, shown}},
		"another alert":            {database(), []rulesim.Firing{firing("ThingsSlow", time.Minute, slo.LabelLong, "1h"), fails}, 0, expr, []string{unpaged, named, shown}},
		"earlier alerts":           {database(), []rulesim.Firing{firing("ThingsErrorBudgetBurn", -time.Minute, slo.LabelLong, "1h"), firing("CheckFails", 0, "check", "database")}, 0, expr, []string{unpaged, unnamed, shown}},
		"a panel without check":    {database(), []rulesim.Firing{burns, fails}, 0, `count(runtime_health_check_up == 0)`, []string{paged, named, unseen}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := checksSession(t, tc.expr)
			if err := s.watch.store.Append(parseSeries(t, `runtime_health_check_up{job="shop",check="database"}`), scrapedAt().UnixMilli(), tc.up); err != nil {
				t.Fatal(err)
			}
			s.watch.fired = tc.fired
			s.judgeTold(t.Context(), tc.double, scrapedAt())
			wantChecks(t, s, tc.want...)
		})
	}
}

func TestStartTimeIsThatOfTheProcess(t *testing.T) {
	t.Parallel()
	s := &session{child: &child{admin: "http://service"}, watch: watchOf(t, map[string]float64{`process_start_time_seconds{instance="a"}`: 17})}
	if got, err := s.startTime(t.Context()); err != nil || got != 17 {
		t.Errorf("got %g, %v", got, err)
	}
	s.watch = watchOf(t, nil)
	const want = "http://service/metrics has no process_start_time_seconds, which every service on runtime.Main exposes"
	if _, err := s.startTime(t.Context()); err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestRequestsAreCountedByOutcome(t *testing.T) {
	t.Parallel()
	s := &session{watch: watchOf(t, map[string]float64{
		`http_server_requests_total{http_route="/a",outcome="success"}`: 3, `http_server_requests_total{http_route="/b",outcome="success"}`: 4,
		`http_server_requests_total{outcome="server_error"}`: 2, `http_server_requests_total{outcome="client_error"}`: 9,
	})}
	if good, bad := s.lately(t.Context()); good != 7 || bad != 2 {
		t.Errorf("got %g and %g", good, bad)
	}
}

func TestTheServiceRecoversWithoutARestart(t *testing.T) {
	t.Parallel()
	const claim = "the service recovers from an outage of the database without a restart: "
	for before, want := range map[float64]string{
		17: claim + "passed: requests succeed again in the same process",
		16: claim + "failed: the service restarted",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			var good atomic.Int64
			service := newService(t, "")
			service.responds(func() (int, string) {
				return http.StatusOK, fmt.Sprintf("process_start_time_seconds 17\nhttp_server_requests_total{outcome=\"success\"} %d\nhttp_server_requests_total{outcome=\"server_error\"} 0\n", good.Add(1))
			})
			s := &session{child: service.child, watch: service.running(t, recovery)}
			if err := s.judgeRecovery(t.Context(), database(), before); err != nil {
				t.Fatal(err)
			}
			wantChecks(t, s, want)
		})
	}
}

func TestAnInterruptedRecoveryIsNotReported(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	s := &session{watch: watchOf(t, nil)}
	if err := s.judgeRecovery(ctx, database(), 17); err == nil {
		t.Error("got no error")
	}
	wantChecks(t, s)
}
