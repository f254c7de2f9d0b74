package slo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/slo"
)

// thousand is a specification with 1,000 objectives on different metrics, and all links.
func thousand(n int) []byte {
	var b strings.Builder
	b.WriteString("apiVersion: scaffold.slo/v1\nservice: shop\nowner: team-checkout\n" +
		"links: {grafana: 'https://grafana.acme.test', runbooks: 'https://runbooks.acme.test/shop'}\nslos:\n")
	for i := range n {
		fmt.Fprintf(&b, "- name: objective-%d\n  objective: 99.9\n  window: 30d\n  indicator:\n    ratio: {total: events_%d_total, bad: 'events_%d_total{code=~\"5..\"}'}\n", i, i, i)
	}
	return []byte(b.String())
}

func compileAll(tb testing.TB, src []byte) []slo.File {
	tb.Helper()
	spec, err := slo.Parse("shop.slo.yaml", src)
	if err != nil {
		tb.Fatal(err)
	}
	rules, err := slo.Compile(spec)
	if err != nil {
		tb.Fatal(err)
	}
	return rules.RuleFiles()
}

func ruleBytes(files []slo.File) (n int) {
	for _, f := range files {
		n += len(f.Data)
	}
	return n
}

// BenchmarkCompileThousand parses, compiles and writes 1,000 objectives. The limits are 1 s of
// CPU time, of which the formatter of Prometheus takes two thirds, 80 MB of memory, and 12 kB
// of rules each. sloth takes 1.1 s, 325 MB and 6.8 kB without annotations
// (docs/benchmarks.md).
func BenchmarkCompileThousand(b *testing.B) {
	src := thousand(1000)
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		size = ruleBytes(compileAll(b, src))
	}
	b.ReportMetric(float64(size)/1000, "rule-bytes/slo")
}

// Limits the sizes; times would be flaky. The race detector allocates too.
func TestAThousandObjectivesStaySmall(t *testing.T) {
	src := thousand(200)
	size := 0
	result := testing.AllocsPerRun(1, func() { size = ruleBytes(compileAll(t, src)) })
	t.Logf("%d bytes and %.0f allocations for each objective", size/200, result/200)
	golden.Figure(t, "../docs/benchmarks.md", `rules of one objective \|[^|]*\| ([\d.]+) kB`, float64(size)/200/1000, 0)
	if perSLO := size / 200; perSLO > 12000 {
		t.Errorf("%d bytes of rules per objective, want at most 12000", perSLO)
	}
	if perSLO := result / 200; perSLO > 8500 {
		t.Errorf("%.0f allocations per objective, want at most 8500", perSLO)
	}
}
