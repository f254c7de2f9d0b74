package verify

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

func loggingSession(t *testing.T) *session {
	t.Helper()
	return &session{
		subject:  Subject{Service: "shop", EnvironmentLabel: "deployment_environment_name"},
		receiver: servicetest.NewReceiver(t),
		child: &child{lines: []line{
			{"level": "INFO", "msg": "service started", "pid": 7.0},
			{"level": "INFO", "msg": "request", "http_route": "/things", "status": 200.0, "trace_id": "30"},
			{"level": "ERROR", "msg": "request", "http_route": "/things", "status": 500.0, "trace_id": "31", "error": "a | b & c"},
		}},
	}
}

func TestLogQueriesRunOnTheLinesOfTheService(t *testing.T) {
	t.Parallel()
	const all = `{service_name="shop"}`
	for query, want := range map[string]string{
		all: "3 log lines",
		`{service="shop",deployment_environment_name="verify"}`: "3 log lines",
		all + ` |= "request"`:         "2 log lines",
		all + " |= `service started`": "1 log lines",
		all + ` |= "request."`:        "0 log lines", // a text, not a pattern
		all + ` |~ "reques."`:         "2 log lines",
		all + ` | json`:               "3 log lines",
		all + ` | json route="http_route", trace="trace_id" | trace_id="31"`: "1 log lines",
		all + ` | detected_level="error"`:                                    "1 log lines",
		all + ` | detected_level=~"error|info" | http_route="/things"`:       "2 log lines",
		all + ` | status="500"`:                                              "1 log lines",
		all + ` | status!="500"`:                                             "2 log lines",
		all + ` | drop pid | line_format "{{.msg}}|{{.level}}" | label_format a=b | keep msg | unpack | decolorize`: "3 log lines",
		all + ` | http_route="/nothing"`:   "0 log lines",
		all + ` |= "\"level\":\"ERROR\""`:  "1 log lines",
		all + ` |= "\"a | b"`:              "1 log lines",
		all + ` |= "b & c"`:                "1 log lines",
		all + ` |~ "reques\\w"`:            "2 log lines",
		all + " |~ `reques\\w`":            "2 log lines",
		all + ` |= "request" or "started"`: `error: verify does not support the stage "= \"request\" or \"started\"" of log queries; check it in Grafana`,
		all + ` | json route="http_route", code="status" | route="/things" | code="500"`: "1 log lines",
		all + ` | json code="status" | code!="500"`:                                      "2 log lines",
		`rate`:                                 `error: rate: a query of logs starts with {label="value"}`,
		`{service_name=}`:                      "error: selector of logs: ",
		`{service_name="depot"}`:               `which {service_name="depot"} does not match`,
		`{deployment_environment_name="prod"}`: `which {deployment_environment_name="prod"} does not match`,
		all + ` |~ "("`:                        "error: filter of log lines: ",
		all + ` | json route="route"`:          "error: no log line has the field route",
		all + ` | logfmt route="route"`:        "error: no log line has the field route",
		all + ` | guess everything`:            `error: verify does not support the stage "guess everything" of log queries; check it in Grafana`,
		all + ` | status > 400`:                `error: verify does not support the stage "status > 400" of log queries; check it in Grafana`,
	} {
		evidence, found, err := loggingSession(t).askLogs(query)
		got := evidence
		if err != nil {
			got = "error: " + err.Error()
		}
		if !strings.Contains(got, want) || found != (err == nil && want != "0 log lines") {
			t.Errorf("%s: got %q, found %v, want %q", query, got, found, want)
		}
	}
}

// Without log lines no field is reported as missing.
func TestMissingFieldsNeedLogLines(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{"": "", "a": "", `a=""`: "", `a="b"`: "no log line has the field b", `x="msg", y="b"`: "no log line has the field b"} {
		got := ""
		if _, err := extract([]line{{"msg": "x"}}, fields); err != nil {
			got = err.Error()
		}
		if _, err := extract(nil, fields); got != want || err != nil {
			t.Errorf("%q: got %q, want %q; without lines %v", fields, got, want, err)
		}
	}
}

func TestPipelinesAreSplitOutsideOfQuotes(t *testing.T) {
	t.Parallel()
	for pipeline, want := range map[string][]string{
		"":                            nil,
		" | json":                     {"json"},
		` |= "a" | json | b="c"`:      {`= "a"`, "json", `b="c"`},
		` |~ "a|b" | json`:            {`~ "a|b"`, "json"},
		" | line_format `a|\"|b` | c": {"line_format `a|\"|b`", "c"},
		"| |":                         nil,
		` |= "a\"|b" | json`:          {`= "a\"|b"`, "json"},
		" |~ `a\\` | json":            {"~ `a\\`", "json"},
	} {
		if got := stages(pipeline); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", pipeline, got, want)
		}
	}
}

func TestProfileQueriesRunOnTheUploads(t *testing.T) {
	t.Parallel()
	const cpu = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
	s := loggingSession(t)
	if evidence, found, err := s.askProfiles("{}", cpu); err != nil || found || evidence != "the service pushed no profile" {
		t.Errorf("without uploads: got %q, %v, %v", evidence, found, err)
	}
	uploadBytes(t, s.receiver, "shop", []byte("not a profile"))
	uploadProfile(t, s.receiver, `shop{version="1", environment=verify}`, cpuProfile("30"))
	uploadProfile(t, s.receiver, `shop{version="1", environment=verify}`, &profile.Profile{SampleType: []*profile.ValueType{{Type: "inuse_space", Unit: "bytes"}}})
	for _, tc := range []struct{ selector, kind, want string }{
		{`{service_name="shop"}`, cpu, "uploads of cpu"},
		{`{service_name="shop",version="1",environment="verify"}`, "memory:inuse_space:bytes", "uploads of inuse_space"},
		{`{service_name="depot"}`, cpu, "error: profiles have the labels map[environment:verify service_name:shop version:1], which {service_name=\"depot\"} does not match"},
		{`{service_name="shop"}`, "memory:inuse_objects:count", "error: no profile has inuse_objects in count; available: samples, cpu, inuse_space"},
		{`{service_name="shop"}`, "process_cpu:cpu:count", "error: no profile has cpu in count; available: samples, cpu, inuse_space"},
		{`{service_name="shop"}`, "cpu", `error: profile type "cpu": write it as memory:inuse_space:bytes:space:bytes`},
		{`{service_name=}`, cpu, "error: selector of profiles: "},
	} {
		got, found, err := s.askProfiles(tc.selector, tc.kind)
		if err != nil {
			got = "error: " + err.Error()
		}
		if !strings.HasPrefix(got, tc.want) || found != (err == nil) {
			t.Errorf("%s of %s: got %q, found %v, want %q", tc.kind, tc.selector, got, found, tc.want)
		}
	}
	if got := len(s.profiles()); got != 2 {
		t.Errorf("read %d uploads, want each once and no other", got)
	}
}

func TestQueriesOfOtherStoresAreChecked(t *testing.T) {
	t.Parallel()
	s := loggingSession(t)
	uploadProfile(t, s.receiver, "shop", cpuProfile("30"))
	for _, tc := range []struct {
		store, expr, until string
		status             report.Status
		want               string
	}{
		{"loki", `{service_name="shop"}`, "", report.Passed, "3 log lines"},
		{"loki", `{service_name="shop"} |= "nothing"`, "", report.Failed, "no data: 0 log lines"},
		{"loki", `{service_name="shop"} |= "nothing"`, "something happens", report.Passed, "empty until something happens"},
		{"loki", `{service_name="shop"} | a b`, "something happens", report.Failed, `verify does not support the stage "a b" of log queries; check it in Grafana`},
		{"grafana-pyroscope-datasource", `{service_name="shop"}`, "", report.Passed, "uploads of cpu"},
		{"phlare", `{service_name="shop"}`, "", report.Passed, "uploads of cpu"},
		{"tempo", `{ status = error } >> { }`, "", report.Skipped, `verify runs only TraceQL such as { resource.service.name = "orders" && status = error }`},
		{"tempo", `{ status = error }`, "a trace fails", report.Passed, "empty until a trace fails"},
		{"tempo", `{ status = error }`, "", report.Failed, "no data: 0 spans"},
		{"tempo", `{ resource.service.name = "shop" }`, "a trace fails", report.Failed, `no exported span has resource.service.name = "shop"; resources are []`},
		{"zipkin", `{}`, "", report.Skipped, "verify does not run queries of zipkin"},
	} {
		target := dashboardfile.Target{Datasource: dashboardfile.Datasource{Type: tc.store}, ProfileType: "process_cpu:cpu:nanoseconds"}
		if status, detail := s.askOther(tc.expr, question{target: target, emptyUntil: tc.until}); status != tc.status || detail != tc.want {
			t.Errorf("%s %s: got %s: %s, want %s: %s", tc.store, tc.expr, status, detail, tc.status, tc.want)
		}
	}
}
