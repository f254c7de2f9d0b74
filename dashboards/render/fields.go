package render

import "github.com/observability-first/scaffold/dashboards/render/internal/grafana"

// maxSteps is the number of thresholds that are drawn.
const maxSteps = 100

// configOf returns the configuration of a panel with the defaults of its type.
func configOf(p *panel) grafana.FieldConfig {
	c := p.FieldConfig
	if c.Defaults.Color.Mode == "" && p.Type == "timeseries" {
		c.Defaults.Color.Mode = "palette-classic"
	}
	c.Defaults.Thresholds.Steps = c.Defaults.Thresholds.Steps[:min(len(c.Defaults.Thresholds.Steps), maxSteps)]
	if c.Defaults.Thresholds.Steps == nil {
		const red = 80.0
		c.Defaults.Thresholds = grafana.Thresholds{Mode: "absolute", Steps: []grafana.Step{{Color: "green"}, {Color: "red", Value: new(red)}}}
	}
	return c
}

// fields applies the configuration and the transformations of a panel.
func (r *renderer) fields(d *drawing, frames []*grafana.Frame) []*grafana.Frame {
	frames, err := grafana.Transform(frames, d.panel.Transformations)
	if err != nil {
		r.report("panel "+d.panel.Title, err.Error())
	}
	out, err := grafana.Apply(frames, configOf(d.panel))
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
