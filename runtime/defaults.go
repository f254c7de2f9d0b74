package runtime

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/observability-first/scaffold/runtime/config"
	"github.com/observability-first/scaffold/runtime/health"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/overload"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// Info describes the build of a service.
type Info struct {
	Name    string // such as orders; the service.name of all signals
	Version string // such as v1.4.2; "dev" if empty
}

// Defaults are the defaults of a service from its scaffold.yaml. Environment variables override
// them.
type Defaults struct {
	Owner     string // team to contact, printed by version and logged at the start; may be empty
	HTTPAddr  string // ":8080" if empty; PORT overrides it
	AdminAddr string // "127.0.0.1:9464" if empty: probes, metrics and pprof; "off" for none

	// LatencyBounds are the thresholds of the latency objectives in seconds. Each is a bound of
	// the duration histogram. A request is slow if it takes longer than the smallest one.
	LatencyBounds []float64

	TraceRatio  float64                 // ratio of new traces to sample, from 0 to 1
	Histograms  telemetry.HistogramMode // telemetry.Classic if empty
	PushMetrics bool                    // push by OTLP instead of scrapes
	// TrustedParent follows the sampled flag of callers. Set it only if all callers are your own
	// services.
	TrustedParent bool

	DrainDelay  time.Duration // time between not ready and closing the listener
	StopTimeout time.Duration // budget of a shutdown; 25s if 0
}

// Values of empty fields of Defaults. 9464 is the port of OpenTelemetry's Prometheus exporters.
// 25 s leave 5 of the 30 s that Kubernetes grants by default.
const (
	defaultHTTPAddr    = ":8080"
	defaultAdminAddr   = "127.0.0.1:9464"
	defaultStopTimeout = 25 * time.Second
)

// settings is the configuration of the runtime itself.
type settings struct {
	HTTP      httpserver.Config `env:",inline"`
	Port      int               `env:"PORT" min:"1" max:"65535" help:"port to listen on if HTTP_ADDR is not set; Cloud Run and similar platforms set it"`
	Admin     adminConfig       `env:",inline"`
	Lifecycle lifecycleConfig   `env:",inline"`
	Telemetry telemetry.Config  `env:",inline"`
	Health    health.Config     `env:"HEALTH"`
	Overload  overload.Config   `env:"OVERLOAD"`
}

type lifecycleConfig struct {
	DrainDelay  time.Duration `env:"DRAIN_DELAY" min:"0s" help:"how long to serve after the instance is not ready; at least one probe interval of the load balancer, or 0 if a preStop hook sleeps"`
	StopTimeout time.Duration `env:"STOP_TIMEOUT" min:"1s" help:"maximum time of a shutdown; less than the platform's grace period"`
}

// check finds values that the tags reject but Defaults may have.
func (c lifecycleConfig) check() error {
	var problems []error
	if c.DrainDelay < 0 {
		problems = append(problems, fmt.Errorf("DRAIN_DELAY is %s; set Defaults.DrainDelay to 0 or more", c.DrainDelay))
	}
	if c.StopTimeout <= 0 {
		problems = append(problems, fmt.Errorf("STOP_TIMEOUT is %s; set Defaults.StopTimeout to 1s or more", c.StopTimeout))
	}
	if most := c.StopTimeout - c.StopTimeout/reserve; c.DrainDelay > 0 && c.DrainDelay >= most {
		problems = append(problems, fmt.Errorf("DRAIN_DELAY=%s leaves no time for requests in flight, since both have %s of STOP_TIMEOUT=%s; lower DRAIN_DELAY or raise STOP_TIMEOUT",
			c.DrainDelay, most, c.StopTimeout))
	}
	return errors.Join(problems...)
}

func (d Defaults) settings() settings {
	var s settings
	s.HTTP.Addr = cmp.Or(d.HTTPAddr, defaultHTTPAddr)
	s.Admin.Addr = cmp.Or(d.AdminAddr, defaultAdminAddr)
	s.HTTP.TrustedParent = d.TrustedParent
	s.Lifecycle.DrainDelay = d.DrainDelay
	s.Lifecycle.StopTimeout = cmp.Or(d.StopTimeout, defaultStopTimeout)
	s.Telemetry.TraceRatio = d.TraceRatio
	if d.PushMetrics {
		s.Telemetry.MetricsExporter = "otlp"
	}
	return s
}

// takePort uses PORT as the address unless HTTP_ADDR is set.
func (s *settings) takePort(vars []config.EnvVar) {
	byName := func(v config.EnvVar) bool { return v.Name == "HTTP_ADDR" && v.Origin != config.FromDefault }
	if s.Port != 0 && !slices.ContainsFunc(vars, byName) {
		s.HTTP.Addr = ":" + strconv.Itoa(s.Port)
	}
}

func (d Defaults) slowAfter() time.Duration {
	smallest := 0.0
	for _, b := range d.LatencyBounds {
		if smallest == 0 || b < smallest {
			smallest = b
		}
	}
	return time.Duration(smallest * float64(time.Second))
}
