package metricstore_test

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// BenchmarkRangeQuery runs the query of one panel: 100 series over the last 15 minutes of an hour, scraped
// every second, with a step of 5 s.
func BenchmarkRangeQuery(b *testing.B) {
	s := metricstore.New()
	fill(b, s, 100, 3600)
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: parser.NewParser(parser.Options{}),
	})
	for _, bc := range []struct{ name, expr string }{
		{"plain", `http_server_requests_total`},
		{"rate", `rate(http_server_requests_total[1m])`},
	} {
		b.Run(bc.name, func(b *testing.B) {
			for b.Loop() {
				q, err := engine.NewRangeQuery(b.Context(), s, nil, bc.expr, time.Unix(2700, 0), time.Unix(3600, 0), 5*time.Second)
				must(b, err)
				m, err := q.Exec(b.Context()).Matrix()
				must(b, err)
				if len(m) != 100 {
					b.Fatalf("%d series", len(m))
				}
				q.Close()
			}
		})
	}
}

// BenchmarkAppend appends one second of 5,000 series.
func BenchmarkAppend(b *testing.B) {
	s := metricstore.New()
	at := int64(0)
	for b.Loop() {
		for i := range 5000 {
			must(b, s.Append(numbered(i), at, float64(at)))
		}
		at += 1000
	}
}
