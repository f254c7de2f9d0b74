// Package heartbeat is a component that reports to a monitor that the service works. It is the example of
// docs/components.md, and not a component that scaffold offers.
package heartbeat

import (
	"cmp"
	"context"
	"embed"
	"net/url"
	"time"

	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/component/httpdouble"
)

// Options are the options in scaffold.yaml.
type Options struct {
	// URL is where each instance sends its heartbeats.
	URL string `yaml:"url"`
	// Interval is the time between two heartbeats of an instance.
	Interval time.Duration `yaml:"interval"`
}

const (
	key         = "components.heartbeat."
	urlVariable = "HEARTBEAT_URL"
	minInterval = time.Second
	maxInterval = time.Hour
)

//go:embed schema.json all:files all:slots all:recorded
var templates embed.FS

// Defaults implements [component.Component].
func (o *Options) Defaults(given func(option string) bool) {
	if !given("url") {
		o.URL = "http://localhost:8082/heartbeat"
	}
	if !given("interval") {
		o.Interval = 30 * time.Second
	}
}

// Check implements [component.Component].
func (o *Options) Check(_ component.Service, report func(path, format string, args ...any)) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		report(key+"url", "not an HTTP URL; write one such as http://monitor:8080/heartbeat")
	case u.User != nil:
		report(key+"url", "contains credentials; set the URL with credentials in the environment variable "+urlVariable)
	}
	if o.Interval < minInterval || o.Interval > maxInterval || o.Interval%time.Second != 0 {
		report(key+"interval", "%s is out of range; write whole seconds from %s to %s", o.Interval, minInterval, maxInterval)
	}
}

// data are the values in the templates.
type data struct {
	URL, Port, Metric string
	Seconds           int
}

// Parts implements [component.Component].
func (o *Options) Parts(component.Service) component.Parts {
	d := data{URL: o.URL, Metric: sent, Seconds: int(o.Interval / time.Second)}
	if u, err := url.Parse(o.URL); err == nil {
		d.Port = cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	return component.Parts{
		Templates:  templates,
		Data:       d,
		Review:     map[string]string{"url": "monitor that notifies when heartbeats stop"},
		Files:      []component.File{{Path: "internal/heartbeat/heartbeat.gen.go", Template: "files/heartbeat.go.tmpl", Owner: component.Generated}},
		Reserved:   []string{"heartbeat"},
		Prefixes:   []string{"HEARTBEAT"},
		Alerts:     []slo.ComponentAlert{failing()},
		Dependency: new(dependency()),
		Doubles: []component.Double{{
			Name: "heartbeat monitor", Variable: urlVariable, Check: "heartbeat", Alert: failing().Name, Start: startMonitor,
		}},
	}
}

// startMonitor starts the double of the monitor. The interval is that of tests: in verify, hours pass in seconds.
func startMonitor(ctx context.Context) (component.Server, []string, error) {
	monitor, err := httpdouble.Start(ctx)
	if err != nil {
		return nil, nil, err
	}
	return monitor, []string{urlVariable + "=" + monitor.URL(), "HEARTBEAT_INTERVAL=100ms"}, nil
}
