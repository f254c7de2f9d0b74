package render

import (
	"fmt"
	"slices"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// configOf returns the configuration of a panel with the defaults of its type.
func configOf(p *panel) grafana.FieldConfig {
	c := p.FieldConfig
	if c.Defaults.Color.Mode == "" && p.Type == "timeseries" {
		c.Defaults.Color.Mode = "palette-classic"
	}
	room := maxOverrides
	i := slices.IndexFunc(c.Overrides, func(o grafana.Override) bool {
		room -= 1 + len(o.Properties)
		return room < 0
	})
	if i >= 0 {
		c.Overrides = c.Overrides[:i]
	}
	if c.Defaults.Thresholds.Steps == nil {
		const red = 80.0
		c.Defaults.Thresholds = grafana.Thresholds{Mode: "absolute", Steps: []grafana.Step{{Color: "green"}, {Color: "red", Value: new(red)}}}
	}
	return c
}

// fields applies the configuration and the transformations of a panel.
func (r *renderer) fields(d *drawing, frames []*grafana.Frame) []*grafana.Frame {
	transformations := d.panel.Transformations
	if n := len(transformations); n > maxTransformations {
		r.report("panel "+d.panel.Title, fmt.Sprintf("%d transformations; the first %d apply", n, maxTransformations))
		transformations = transformations[:maxTransformations]
	}
	frames, err := grafana.Transform(frames, transformations)
	if err != nil {
		r.report("panel "+d.panel.Title, err.Error())
	}
	config := configOf(d.panel)
	config.Done = r.limits.done
	if n := len(d.panel.FieldConfig.Overrides); len(config.Overrides) < n {
		r.report("panel "+d.panel.Title, fmt.Sprintf("%d overrides; the first %d apply", n, len(config.Overrides)))
	}
	out, err := grafana.Apply(frames, config)
	if err != nil {
		r.report("panel "+d.panel.Title, err.Error())
	}
	for _, frame := range out {
		for _, f := range frame.Fields {
			f.Zone = r.options.Location
		}
	}
	return out
}
