package render

import (
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// keepsLimits is the first version of Grafana whose panels of single values have no limits of their own.
const keepsLimits = 8

// migrate changes panels as Grafana does when it opens a dashboard of an older version. A panel without a
// version is one of version 6: its ratios end at 100 %, which limits bars and sparklines.
func migrate(panels []panel) {
	for i := range panels {
		p := &panels[i]
		migrate(p.Panels)
		switch p.Type {
		case "gauge": // of any version
		case "stat", "bargauge":
			if p.version() >= keepsLimits {
				continue
			}
		default:
			continue
		}
		limit(&p.FieldConfig.Defaults)
	}
}

// version returns the major version of Grafana that saved the panel, or 0.
func (p panel) version() int {
	major, _, _ := strings.Cut(p.PluginVersion, ".")
	n, _ := strconv.Atoi(major) // 0 for what is not a version
	return n
}

// limit sets the limits that the unit implies.
func limit(d *grafana.Config) {
	low, high := 0.0, map[string]float64{"percent": 100, "percentunit": 1}[d.Unit]
	if high == 0 {
		return
	}
	if d.Min == nil {
		d.Min = &low
	}
	if d.Max == nil {
		d.Max = &high
	}
}
