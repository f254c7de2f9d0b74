package report_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/testkit/golden"
)

// recorded is the report of a run: `scaffold verify --output json examples/orders`.
const recorded = "testdata/orders.json.gz"

// picture has the result and the alerts of the recorded report, in the HTML that verify writes. `make pictures` draws it again.
const picture = "../../docs/pictures/report.svg"

func TestPictureOfTheReport(t *testing.T) {
	t.Parallel()
	const most = 100_000 // bytes, for a page that loads quickly
	r := recordedReport(t)
	svg := svgOf(t, htmlOf(t, r, report.Page{}), len(r.Sections()))
	if len(svg) > most {
		t.Errorf("%d bytes, more than %d", len(svg), most)
	}
	wantXML(t, svg)
	golden.Compare(t, picture, []byte(svg))
}

func recordedReport(t *testing.T) report.Report {
	t.Helper()
	file, err := os.Open(recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.NewDecoder(z).Decode(&r); err != nil {
		t.Fatal(err)
	}
	if len(r.Checks) == 0 || r.Failures() > 0 || len(r.SimulatedAlerts) == 0 || r.Quick {
		t.Fatalf("%s is not the report of a complete run that passed", recorded)
	}
	return r
}

// svgOf returns a picture of a page without its checks, dashboards and request, which are too long for one.
func svgOf(t *testing.T, page string, sections int) string {
	t.Helper()
	part := func(from, to string) string {
		_, rest, ok := strings.Cut(page, from)
		text, _, ends := strings.Cut(rest, to)
		if !ok || !ends {
			t.Fatalf("the page has no %s before %s", from, to)
		}
		return text
	}
	const width, row, rest = 1240, 34, 466 // pixels
	alerts := part(`<h2 id="alerts">`, `<h2 id="request">`)
	height := rest + row*(sections+strings.Count(alerts, "<tr>"))
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d">
<style><![CDATA[%s]]></style>
<foreignObject width="%[1]d" height="%[2]d"><body xmlns="http://www.w3.org/1999/xhtml">%[4]s<h2 id="alerts">%[5]s</body></foreignObject>
</svg>
`, width, height, part("<style>", "</style>"), part("<body>", `<h3 id="section-`)+"</main>", alerts)
}

// wantXML wants text that is well-formed, as browsers do in a picture.
func wantXML(t *testing.T, text string) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader([]byte(text))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
