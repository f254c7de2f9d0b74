package grow_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/observability-first/scaffold/internal/project/grow"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/telemetry"
	"github.com/observability-first/scaffold/templates/spec"
)

const mainFile = `package main

import "github.com/observability-first/scaffold/runtime"

// run declares the components.
func run(ctx context.Context, app *runtime.Service) error {
	store := 1 // ours
	err := nothing()

	app.Handle(routes(store))   // serve
	return app.Run(ctx)
}
`

func withMain(t *testing.T, text string) grow.Service {
	t.Helper()
	s, err := spec.New(spec.Choices{Name: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	telemetry := `{"metrics": [{"name": "taken_total", "type": "counter", "help": "Taken."}]}`
	return grow.Service{Dir: "orders", Spec: s, Files: fstest.MapFS{
		"cmd/orders/main.go": {Data: []byte(text)}, "observability/telemetry.json": {Data: []byte(telemetry)},
	}}
}

func TestMetricIsDeclaredBeforeTheServiceServes(t *testing.T) {
	t.Parallel()
	const check = "\tif err != nil {\n\t\treturn err\n\t}\n"
	for name, tc := range map[string]struct {
		metric declared.Metric
		want   string
	}{
		"counter": {
			declared.Metric{Type: declared.Counter, Name: "orders_shipped_total", Help: `Shipped "orders".`, Labels: []string{"result"}},
			"\tordersShipped, err := app.Metrics().Counter(\"orders_shipped_total\", \"Shipped \\\"orders\\\".\", \"result\")\n" + check + "\t_ = ordersShipped // TODO: pass it to the code that counts\n",
		},
		"histogram": {
			declared.Metric{Type: declared.Histogram, Name: "lines_items", Help: "Lines."},
			"\tlines, err := app.Metrics().Histogram(\"lines_items\", \"Lines.\", []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000})\n" + check + "\t_ = lines // TODO: pass it to the code that measures\n",
		},
		"used name": {
			declared.Metric{Type: declared.Gauge, Name: "store_bytes", Help: "Size."},
			"\tstoreMetric, err := app.Metrics().Gauge(\"store_bytes\", \"Size.\")\n" + check + "\t_ = storeMetric // TODO: pass it to the code that sets it\n",
		},
		"keyword": {
			declared.Metric{Type: declared.Counter, Name: "select_total", Help: "Selections."},
			"\tselectMetric, err := app.Metrics().Counter(\"select_total\", \"Selections.\")\n" + check + "\t_ = selectMetric // TODO: pass it to the code that counts\n",
		},
	} {
		for _, end := range []string{"\n", "\r\n"} {
			change, err := withMain(t, strings.ReplaceAll(mainFile, "\n", end)).Metric(tc.metric)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			want := strings.ReplaceAll(strings.Replace(mainFile, "\tapp.Handle(", tc.want+"\tapp.Handle(", 1), "\n", end)
			if got := string(change.Files[0].Data); got != want || len(change.Files) != 1 {
				t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
			}
			if !strings.HasSuffix(change.Next[0], "at orders/cmd/orders/main.go:10.") {
				t.Errorf("%s: got %q, want the line of the declaration", name, change.Next[0])
			}
		}
	}
}

// A second declaration of err would not compile.
func TestErrorHasAnotherNameIfTheCodeDeclaresErr(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]string{
		"short": "err := app.Run(ctx)\n\treturn err", "blank": "_, err := 1, app.Run(ctx)\n\treturn err",
		"variable": "var b, err error = nil, app.Run(ctx)\n\t_ = b\n\treturn err",
	} {
		text := strings.NewReplacer("\terr := nothing()\n", "", "return app.Run(ctx)", rest).Replace(mainFile)
		change, err := withMain(t, text).Metric(declared.Metric{Type: declared.Counter, Name: "a_total", Help: "A."})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(change.Files[0].Data); !strings.Contains(got, "a, errMetric := app.") || !strings.Contains(got, "if errMetric != nil {\n\t\treturn errMetric\n") {
			t.Errorf("%s: got\n%s", name, got)
		}
	}
	text := strings.Replace(mainFile, "return app", "more, err := 1, app", 1)
	change, err := withMain(t, text).Metric(declared.Metric{Type: declared.Counter, Name: "a_total", Help: "A."})
	if err != nil || !strings.Contains(string(change.Files[0].Data), "a, err := app.") {
		t.Errorf("%v: err has another name without need", err)
	}
}

func TestInvalidMetricsAreRejected(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text   string
		metric declared.Metric
		want   []string
	}{
		"names": {mainFile, declared.Metric{Type: declared.Counter, Name: "Orders", Labels: []string{"user_id", "job"}}, []string{
			"NAME: write the name in snake_case", "--description: describe what the metric measures", `--label: label "user_id" has a value for every request`, `--label: label "job" is reserved`,
		}},
		"unit":  {mainFile, declared.Metric{Type: declared.Histogram, Name: "wait", Help: "Wait."}, []string{"NAME: the name of a histogram ends in the unit of its values"}},
		"taken": {mainFile, declared.Metric{Type: declared.Counter, Name: "taken_total", Help: "Taken."}, []string{"NAME: the service has the metric taken_total already"}},
		"no call": {"package main\n\nfunc main() {}\n", declared.Metric{Type: declared.Counter, Name: "a_total", Help: "A."}, []string{
			"orders/cmd/orders/main.go: no statement of a function with a *runtime.Service calls its Handle", "\ta, err := svc.Metrics().Counter(\"a_total\", \"A.\")\n",
		}},
		"syntax": {"package main\n\nfunc {", declared.Metric{Type: declared.Counter, Name: "a_total", Help: "A."}, []string{"orders/cmd/orders/main.go:3:6: "}},
	} {
		_, err := withMain(t, tc.text).Metric(tc.metric)
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
	}
}

func FuzzMetric(f *testing.F) {
	f.Add(mainFile, "orders_shipped_total")
	f.Add(strings.ReplaceAll(mainFile, "\n", "\r\n"), "store_total")
	f.Add("package main\nfunc run(s *x.Service) { s.Handle(nil); }", "a_total")
	f.Fuzz(func(t *testing.T, text, name string) {
		change, err := withMain(t, text).Metric(declared.Metric{Type: declared.Counter, Name: name, Help: "A."})
		if err != nil {
			return
		}
		rest := string(change.Files[0].Data)
		for line := range strings.Lines(text) { // every line of before is there, in order
			_, after, found := strings.Cut(rest, line)
			if !found {
				t.Fatalf("%q is missing or out of order in\n%s", line, change.Files[0].Data)
			}
			rest = after
		}
	})
}

// A name that the command accepts is one that the service accepts at its start.
func TestAcceptedNamesAreAcceptedByTheService(t *testing.T) {
	t.Parallel()
	words := []string{"orders", "shipped", "total", "seconds", "time", "cpu", "bytes", "ms", "kb", "count", "sum", "info", "bucket", "counter", "ratio", "items", "m", "percent", "g", "celsius", "hours", "milliseconds", "id", "user"}
	accepted := 0
	for _, a := range words {
		for _, b := range words {
			for _, c := range append(words, "") {
				name := strings.TrimSuffix(a+"_"+b+"_"+c, "_")
				for _, m := range []declared.Metric{
					{Type: declared.Counter, Name: name, Help: "A.", Labels: []string{a}}, {Type: declared.Gauge, Name: name, Help: "A."}, {Type: declared.Histogram, Name: name, Help: "A."},
				} {
					if _, err := withMain(t, mainFile).Metric(m); err != nil {
						continue
					}
					accepted++
					registry := telemetry.NewRegistry(telemetry.Classic)
					var err error
					switch m.Type {
					case declared.Counter:
						_, err = registry.Counter(name, m.Help, m.Labels...)
					case declared.Gauge:
						_, err = registry.Gauge(name, m.Help)
					default:
						_, err = registry.Histogram(name, m.Help, []float64{1})
					}
					if err != nil {
						t.Errorf("%s %s: the service rejects it: %v", m.Type, name, err)
					}
				}
			}
		}
	}
	if accepted < 500 {
		t.Errorf("only %d names are accepted", accepted)
	}
}
