package conformance

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/slo"
)

func alertmanagerFiles(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"../../examples/*/observability/alertmanager.yaml", "../../slo/testdata/*/alertmanager.yaml"} {
		files, err := filepath.Glob(pattern)
		must(t, err)
		out = append(out, files...)
	}
	if len(out) < 4 {
		t.Fatalf("found %v, want at least 4 Alertmanager files", out)
	}
	return append(out, "testdata/alertmanager.yaml")
}

func TestAmtoolAcceptsTheRoutes(t *testing.T) {
	t.Parallel()
	amtool := build(t, "github.com/prometheus/alertmanager/cmd/amtool")
	files := alertmanagerFiles(t)
	for _, integration := range slo.Integrations() {
		files = append(files, withReceiver(t, integration))
	}
	for _, file := range files {
		if out, err := exec.CommandContext(t.Context(), amtool, "check-config", file).CombinedOutput(); err != nil {
			t.Errorf("amtool check-config %s: %v\n%s", file, err, out)
		}
	}
}

// Critical alerts page in every environment except dev and staging.
func TestAmtoolFindsTheReceivers(t *testing.T) {
	t.Parallel()
	amtool := build(t, "github.com/prometheus/alertmanager/cmd/amtool")
	for _, tc := range []struct{ environment, severity, receiver string }{
		{"prod", "critical", "page"}, {"", "critical", "page"}, {"eu-staging", "critical", "page"},
		{"dev", "critical", "ticket"}, {"staging", "critical", "ticket"},
		{"prod", "warning", "ticket"}, {"staging", "warning", "ticket"}, {"prod", "info", "default"},
	} {
		args := []string{"config", "routes", "test", "--config.file=../../examples/orders/observability/alertmanager.yaml", "service=orders", "severity=" + tc.severity}
		if tc.environment != "" {
			args = append(args, "environment="+tc.environment)
		}
		out, err := exec.CommandContext(t.Context(), amtool, args...).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != tc.receiver {
			t.Errorf("%+v: amtool found %s, %v", tc, got, err)
		}
	}
}

// withReceiver writes an Alertmanager file that sends pages through the integration.
func withReceiver(t *testing.T, integration string) string {
	t.Helper()
	rules, err := slo.Compile(slo.Spec{
		Service: "orders", Alerting: slo.Alerting{Receivers: slo.Receivers{Page: integration}},
		SLOs: []slo.Objective{{Name: "availability", Target: "99.9", Indicator: slo.Indicator{Availability: &slo.Availability{}}}},
	})
	must(t, err)
	file := filepath.Join(t.TempDir(), integration+".yaml")
	must(t, os.WriteFile(file, rules.Alertmanager(), 0o600))
	return file
}

// TestNotificationsAreThoseOfAlertmanager sends random alerts to Alertmanager's dispatcher
// in simulated time and to our routing. It compares the receiver, time, group, reason and
// alerts of each notification.
func TestNotificationsAreThoseOfAlertmanager(t *testing.T) {
	t.Parallel()
	for _, file := range alertmanagerFiles(t) {
		for seed := range uint64(5) {
			t.Run(fmt.Sprintf("%s/seed %d", strings.TrimPrefix(filepath.ToSlash(file), "../../"), seed), func(t *testing.T) {
				t.Parallel()
				src, err := os.ReadFile(file)
				must(t, err)
				universe := alertsFor(t, file)
				synctest.Test(t, func(t *testing.T) {
					compareNotifications(t, src, universe, seed)
				})
			})
		}
	}
}

// alertsFor returns the labels of the alerts that may fire: those of the rules in the
// same directory or its rules directory, and further ones for a file of testdata.
func alertsFor(t *testing.T, file string) []labels.Labels {
	t.Helper()
	var out []labels.Labels
	rules, err := filepath.Glob(filepath.Join(filepath.Dir(file), "rules", "*.rules.yaml"))
	must(t, err)
	same, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*.rules.yaml"))
	must(t, err)
	for _, f := range append(rules, same...) {
		data, err := os.ReadFile(f)
		must(t, err)
		groups, err := rulesim.Load(f, data)
		must(t, err)
		for _, g := range groups {
			for _, r := range g.Rules {
				if !r.IsAlert {
					continue
				}
				for _, env := range []string{"production", "staging"} {
					b := labels.NewBuilder(r.Labels)
					b.Set(labels.AlertName, r.Name)
					b.Set("environment", env)
					out = append(out, b.Labels())
				}
			}
		}
	}
	if strings.HasPrefix(file, "testdata") {
		for _, name := range []string{"A", "B", "C", "Down"} {
			for _, team := range []string{"checkout", "search", "a b", ""} {
				for _, severity := range []string{"critical", "warning"} {
					out = append(out, labels.NewBuilder(labels.FromStrings("alertname", name, "severity", severity)).Set("team", team).Labels())
				}
			}
		}
	}
	if len(out) < 10 {
		t.Fatalf("found %d alerts for %s, want at least 10", len(out), file)
	}
	return out
}

const watched = 12 * time.Hour

// compareNotifications runs in simulated time (package synctest).
func compareNotifications(t *testing.T, src []byte, universe []labels.Labels, seed uint64) {
	t.Helper()
	start := time.Now()
	history := episodes(rand.New(rand.NewPCG(seed, 1)), universe, start)
	want := upstream(t, src, history, start)
	routing, err := rulesim.ParseRouting(src)
	must(t, err)
	var got []string
	for _, n := range routing.Notifications(history, start.Add(watched)) {
		got = append(got, line(n.At.Sub(start), n.Receiver, string(n.Reason), n.Group.String(), names(n)))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("notifications differ (- Alertmanager, + ours):\n%s", diff)
	}
	t.Logf("compared %d notifications about %d alerts", len(want), len(history))
	if len(want) < 20 {
		t.Errorf("compared %d notifications, want at least 20", len(want))
	}
}

func line(at time.Duration, receiver, reason, group string, alerts []string) string {
	slices.Sort(alerts)
	return fmt.Sprintf("%15s %s %s %s %s", at, receiver, reason, group, strings.Join(alerts, ","))
}

// episodes returns random periods in which each alert fires. No two events have the same
// time, because Alertmanager does not define their order.
func episodes(rnd *rand.Rand, universe []labels.Labels, start time.Time) []rulesim.Firing {
	var out []rulesim.Firing
	for _, l := range universe {
		at := start.Add(time.Duration(rnd.Int64N(int64(4 * time.Hour))))
		for range rnd.IntN(5) {
			f := rulesim.Firing{Alert: l.Get(labels.AlertName), Labels: l, FiredAt: at}
			at = at.Add(time.Duration(rnd.ExpFloat64() * float64(25*time.Minute)))
			f.ResolvedAt = at
			at = at.Add(time.Minute + time.Duration(rnd.ExpFloat64()*float64(40*time.Minute)))
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b rulesim.Firing) int {
		return cmp.Or(a.FiredAt.Compare(b.FiredAt), labels.Compare(a.Labels, b.Labels))
	})
	return out
}

// message is one message of Prometheus about an alert.
type message struct {
	at   time.Time
	f    rulesim.Firing
	ends time.Time
}

// messages returns what Prometheus sends each minute: an end in four minutes while the
// alert fires, and the actual end for 15 minutes after that.
func messages(history []rulesim.Firing) []message {
	var out []message
	next := map[string]time.Time{}
	for _, f := range slices.Backward(history) {
		for at := f.FiredAt; at.Before(f.ResolvedAt); at = at.Add(time.Minute) {
			out = append(out, message{at, f, at.Add(4 * time.Minute)})
		}
		again, ok := next[f.Labels.String()]
		for at := f.ResolvedAt; !at.After(f.ResolvedAt.Add(15 * time.Minute)); at = at.Add(time.Minute) {
			if !ok || at.Before(again) {
				out = append(out, message{at, f, f.ResolvedAt})
			}
		}
		next[f.Labels.String()] = f.FiredAt
	}
	slices.SortStableFunc(out, func(a, b message) int { return a.at.Compare(b.at) })
	return out
}

// recorder is a receiver that records notifications.
type recorder struct {
	mu    sync.Mutex
	start time.Time
	lines []string
}

func (*recorder) SendResolved() bool { return true }

func (r *recorder) Notify(ctx context.Context, alerts ...*alert.Alert) (bool, error) {
	receiver, _ := notify.ReceiverName(ctx)
	group, _ := notify.GroupLabels(ctx)
	reason, _ := notify.NotificationReason(ctx)
	at, _ := notify.Now(ctx)
	b := labels.NewScratchBuilder(len(group))
	for name, value := range group {
		b.Add(string(name), string(value))
	}
	b.Sort()
	var firing []string
	for _, a := range alerts {
		if !a.Resolved() {
			firing = append(firing, a.Name())
		}
	}
	names := map[notify.NotifyReason]rulesim.Reason{
		notify.ReasonFirstNotification: rulesim.Opened, notify.ReasonNewAlertsInGroup: rulesim.Changed, notify.ReasonNewResolvedAlerts: rulesim.Changed,
		notify.ReasonAllAlertsResolved: rulesim.Closed, notify.ReasonRepeatIntervalElapsed: rulesim.Repeated,
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line(at.Sub(r.start), receiver, string(names[reason]), b.Labels().String(), firing))
	return false, nil
}

// upstream runs the parts of Alertmanager that decide about notifications: inhibitor,
// dispatcher and stages. It returns the notifications.
func upstream(t *testing.T, src []byte, history []rulesim.Firing, start time.Time) []string {
	t.Helper()
	cfg, err := config.Load(string(src))
	must(t, err)
	logger, reg, events := promslog.NewNopLogger(), prometheus.NewRegistry(), eventrecorder.NopRecorder()
	ctx, cancel := context.WithCancel(t.Context())
	alerts, err := mem.NewAlerts(ctx, 30*time.Minute, 0, nil, logger, events, reg, featurecontrol.NoopFlags{})
	must(t, err)
	inhibitor := inhibit.NewInhibitor(alerts, cfg.InhibitRules, logger, events)
	log, err := nflog.New(nflog.Options{Retention: 120 * time.Hour, Metrics: reg})
	must(t, err)
	metrics := notify.NewMetrics(reg, featurecontrol.NoopFlags{})
	sink := &recorder{start: start}
	stage := notify.RoutingStage{}
	for _, r := range cfg.Receivers {
		integration := notify.NewIntegration(sink, sink, "recorder", 0, r.Name)
		to := &nflogpb.Receiver{GroupName: r.Name, Integration: "recorder"}
		stage[r.Name] = notify.MultiStage{
			notify.NewMuteStage(inhibitor, metrics), notify.NewDedupStage(&integration, log, to),
			notify.NewRetryStage(integration, r.Name, metrics, events), notify.NewSetNotifiesStage(log, to),
		}
	}
	dispatcher := dispatch.NewDispatcher(alerts, dispatch.NewRoute(cfg.Route, nil), stage, marker.NewGroupMarker(),
		func(d time.Duration) time.Duration { return max(d, notify.MinTimeout) }, 30*time.Second, nil, logger, events, nil, nil)
	var running sync.WaitGroup
	running.Go(inhibitor.Run)
	running.Go(func() { dispatcher.Run(start) })
	inhibitor.WaitForLoading()
	dispatcher.WaitForLoading()
	for _, m := range messages(history) {
		time.Sleep(time.Until(m.at)) // simulated time
		must(t, alerts.Put(ctx, m.alert()))
		synctest.Wait()
	}
	time.Sleep(time.Until(start.Add(watched)))
	synctest.Wait()
	dispatcher.Stop()
	inhibitor.Stop()
	cancel()
	alerts.Close()
	running.Wait()
	return sink.lines
}

func (m message) alert() *alert.Alert {
	set := model.LabelSet{}
	m.f.Labels.Range(func(l labels.Label) { set[model.LabelName(l.Name)] = model.LabelValue(l.Value) })
	return &alert.Alert{Alert: model.Alert{Labels: set, StartsAt: m.f.FiredAt, EndsAt: m.ends}, UpdatedAt: m.at}
}

// names returns the names of the alerts of a notification.
func names(n rulesim.Notification) []string {
	var out []string
	for _, f := range n.Alerts {
		out = append(out, f.Alert)
	}
	return out
}
