package render

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

// parse reads a dashboard. Name is the file name in errors.
func parse(name string, src []byte) (dashboard, dashboardfile.Dashboard, error) {
	if weight(src) > maxDashboardWeight {
		return dashboard{}, dashboardfile.Dashboard{}, fmt.Errorf("%s: the dashboard has too many values; split it", name)
	}
	file, err := dashboardfile.Parse(name, src)
	if err != nil {
		return dashboard{}, file, err
	}
	var b dashboard
	err = json.Unmarshal(withoutMark(src), &b)
	if wrong := grafana.WrongType("", err); wrong != "" { // the rest is decoded
		b.problem = wrong + "; the default is drawn; set it again in Grafana"
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w; export the dashboard again", name, err)
	}
	if err == nil && len(b.Templating.List) != len(file.Variables) { // encoding/json accepts keys in another case
		err = fmt.Errorf("%s: templating.list is not as Grafana writes it; export the dashboard again", name)
	}
	if err == nil && len(b.Panels) == 0 && len(file.Panels) > 0 {
		err = fmt.Errorf("%s: a dashboard of Grafana 4 or older, with rows; open and save it in a newer Grafana", name)
	}
	migrate(b.Panels)
	return b, file, err
}

// withoutMark returns a file without its byte order mark.
func withoutMark(src []byte) []byte { return bytes.TrimPrefix(src, []byte("\ufeff")) }

// library reports whether the panel is stored in Grafana, so that the file does not have it.
func (p panel) library() bool { return len(p.LibraryPanel) > 0 && optionsOf(p.Type) == nil }

// inLibrary is the problem of such a panel.
const inLibrary = "library panel: stored in Grafana, not in the file"

// options decodes the options of a panel. A value of the wrong type leaves its default.
func (p panel) options(into any) {
	if len(p.Options) > 0 {
		_ = json.Unmarshal(p.Options, into) // [Unsupported] reports unknown keys; a value of another type keeps its default
	}
}
