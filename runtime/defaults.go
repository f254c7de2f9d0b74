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

// Info is what the build knows about a service.
type Info struct {
	Name    string // as in orders; the service.name of every signal
	Version string // as in v1.4.2; "dev" when empty
}

// Defaults are the values of the service's spec that its binary needs. The
// environment overrides each. Zero values mean what the field says.
type Defaults struct {
	Owner     string // the team to call, shown by version and on start; may be empty
	HTTPAddr  string // ":8080" when empty; PORT of the environment wins over it
	AdminAddr string // "127.0.0.1:9464" when empty: probes, metrics and pprof; "off" for none

	// LatencyBounds are the thresholds of the latency objectives in seconds.
	// Each is a bound of the duration histogram, and a request over the smallest
	// one is slow.
	LatencyBounds []float64

	TraceRatio  float64                 // share of new traces that are sampled, from 0 to 1
	Histograms  telemetry.HistogramMode // telemetry.Classic when empty
	PushMetrics bool                    // push by OTLP instead of being scraped
	// TrustedParent lets a caller's sampled flag decide; only behind one's own
	// services.
	TrustedParent bool

	DrainDelay  time.Duration // between not ready and closing the listener; see Config
	StopTimeout time.Duration // budget of a stop; 25s when 0
}

// Values that apply when Defaults leave a field empty. 9464 is the port that
// OpenTelemetry's Prometheus exporters use. 25 s leave 5 of the 30 s that
// Kubernetes grants by default to the platform.
const (
	defaultHTTPAddr    = ":8080"
	defaultAdminAddr   = "127.0.0.1:9464"
	defaultStopTimeout = 25 * time.Second
)

// settings is the runtime's own part of the environment.
type settings struct {
	HTTP      httpserver.Config `env:",inline"`
	Port      int               `env:"PORT" min:"1" max:"65535" help:"port that takes requests on every address, where HTTP_ADDR is not set; Cloud Run and its like give it"`
	Admin     adminConfig       `env:",inline"`
	Lifecycle lifecycleConfig   `env:",inline"`
	Telemetry telemetry.Config  `env:",inline"`
	Health    health.Config     `env:"HEALTH"`
	Overload  overload.Config   `env:"OVERLOAD"`
}

type lifecycleConfig struct {
	DrainDelay  time.Duration `env:"DRAIN_DELAY" min:"0s" help:"how long to go on serving after readiness says no; at least one probe interval of the balancer, 0 where a preStop hook sleeps"`
	StopTimeout time.Duration `env:"STOP_TIMEOUT" min:"1s" help:"budget of a stop, all phases together; less than the platform's grace period"`
}

// check finds what the environment is not allowed and a program may still say.
func (c lifecycleConfig) check() error {
	var problems []error
	if c.DrainDelay < 0 {
		problems = append(problems, fmt.Errorf("DRAIN_DELAY is %s; give Defaults.DrainDelay no time or some", c.DrainDelay))
	}
	if c.StopTimeout <= 0 {
		problems = append(problems, fmt.Errorf("STOP_TIMEOUT is %s; give Defaults.StopTimeout a second or more", c.StopTimeout))
	}
	if most := c.StopTimeout - c.StopTimeout/reserve; c.DrainDelay > 0 && c.DrainDelay >= most {
		problems = append(problems, fmt.Errorf("DRAIN_DELAY=%s leaves no time for requests in flight: the stop has %s of STOP_TIMEOUT=%s for both; lower the one or raise the other",
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

// takePort makes PORT the address of the requests, unless HTTP_ADDR was set.
func (s *settings) takePort(told []config.EnvVar) {
	byName := func(v config.EnvVar) bool { return v.Name == "HTTP_ADDR" && v.Origin != config.FromDefault }
	if s.Port != 0 && !slices.ContainsFunc(told, byName) {
		s.HTTP.Addr = ":" + strconv.Itoa(s.Port)
	}
}

// slowAfter is the smallest latency objective, 0 without any.
func (d Defaults) slowAfter() time.Duration {
	smallest := 0.0
	for _, b := range d.LatencyBounds {
		if smallest == 0 || b < smallest {
			smallest = b
		}
	}
	return time.Duration(smallest * float64(time.Second))
}
