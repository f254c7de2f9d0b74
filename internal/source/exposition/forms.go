package exposition

import (
	"fmt"
	"strings"

	"github.com/observability-first/scaffold/runtime/declared"
)

// Form is the form of a histogram, which determines the names of its series.
type Form string

const (
	// Classic histograms have the series X_bucket, X_count and X_sum.
	Classic Form = "classic"
	// Native histograms have the series X.
	Native Form = "native"
)

// DeclaredAs is [Declared] with the form of histograms: classic, native or both.
func DeclaredAs(s declared.Signals, histograms string) Page {
	p := Declared(s)
	for i, m := range p.Metrics {
		// Libraries choose the form of their histograms; those of Go are classic.
		byLibrary := len(m.Bounds) > 0 || strings.HasPrefix(m.Name, "go_")
		switch {
		case m.Type != declared.Histogram:
		case histograms == string(Classic) && len(m.Bounds) > 0:
			p.Metrics[i].Form = Classic
		case histograms == string(Native) && !byLibrary:
			p.Metrics[i].Form = Native
		}
	}
	return p
}

// AbsentSeries returns messages by series that the histogram would have only in its other form.
func (m Metric) AbsentSeries() map[string]string {
	switch m.Form {
	case Classic:
		return map[string]string{m.Name: fmt.Sprintf("%[1]s is a classic histogram; write %[1]s_bucket, %[1]s_count or %[1]s_sum", m.Name)}
	case Native:
		out := map[string]string{}
		for suffix, query := range map[string]string{"_bucket": "histogram_quantile(0.99, rate(%s[5m]))", "_count": "histogram_count(rate(%s[5m]))", "_sum": "histogram_sum(rate(%s[5m]))"} {
			out[m.Name+suffix] = fmt.Sprintf("%s is a native histogram and has no %s; write ", m.Name, m.Name+suffix) + fmt.Sprintf(query, m.Name)
		}
		return out
	}
	return nil
}

// formOfBoth returns the form of a histogram on two pages, empty if they differ. It ignores declared
// metrics and those without series.
func formOfBoth(a, b Metric) Form {
	switch {
	case a.Type != b.Type:
		return ""
	case a.NoSeries || a.Values == nil:
		return b.Form
	case b.NoSeries || b.Values == nil || a.Form == b.Form:
		return a.Form
	}
	return ""
}
