package telemetry

import (
	"context"
	"math"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// clock is a time that the test sets.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Unix(1_800_000_000, 0)} }

func (c *clock) Now() time.Time          { return c.now }
func (c *clock) forward(d time.Duration) { c.now = c.now.Add(d) }

func decide(s sdktrace.Sampler, parent context.Context) sdktrace.SamplingResult {
	id, _ := ids{}.NewIDs(context.Background())
	return s.ShouldSample(sdktrace.SamplingParameters{ParentContext: parent, TraceID: id, Name: "GET"})
}

func parentContext(sampled, remote bool) context.Context {
	flags := trace.TraceFlags(0)
	if sampled {
		flags = trace.FlagsSampled
	}
	traceID, spanID := ids{}.NewIDs(context.Background())
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: flags, Remote: remote})
	return trace.ContextWithSpanContext(context.Background(), sc)
}

func TestMinimumSamplingRate(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newSampler(Sampling{Ratio: 0}, c.Now)
	sampled := 0
	for range 10 {
		for range 100 {
			if r := decide(s, context.Background()); r.Decision == sdktrace.RecordAndSample {
				sampled++
				if len(r.Attributes) != 1 || r.Attributes[0].Value.AsString() != "min_rate" {
					t.Errorf("attributes %v, want min_rate", r.Attributes)
				}
			}
		}
		c.forward(time.Second)
	}
	if sampled != 10 {
		t.Errorf("%d of 1000 traces in ten seconds, want one per second", sampled)
	}
}

func TestSamplingRatio(t *testing.T) {
	t.Parallel()
	s := newSampler(Sampling{Ratio: 0.1}, newClock().Now)
	const n = 20_000
	sampled := 0
	for range n {
		if decide(s, context.Background()).Decision == sdktrace.RecordAndSample {
			sampled++
		}
	}
	// Five standard deviations of a binomial distribution with p = 0.1.
	if spread := 5 * math.Sqrt(n*0.1*0.9); math.Abs(float64(sampled)-n*0.1) > spread+1 {
		t.Errorf("%d of %d sampled, want about a tenth", sampled, n)
	}
}

func TestSamplingFollowsParents(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		sampled, remote, trust bool
		ratio                  float64
		want                   sdktrace.SamplingDecision
	}{
		"a child of a sampled span":                {true, false, false, 0, sdktrace.RecordAndSample},
		"a child of a dropped span":                {false, false, false, 1, sdktrace.Drop},
		"a trusted caller that samples":            {true, true, true, 0, sdktrace.RecordAndSample},
		"a trusted caller that does not":           {false, true, true, 1, sdktrace.Drop},
		"an untrusted caller that samples":         {true, true, false, 0, sdktrace.Drop},
		"an untrusted caller that does not sample": {false, true, false, 1, sdktrace.RecordAndSample},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSampler(Sampling{Ratio: tc.ratio, TrustRemote: tc.trust}, newClock().Now)
			s.minimum.take() // of this second
			if got := decide(s, parentContext(tc.sampled, tc.remote)).Decision; got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestEnvironmentChoosesTheSampler(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config Config
		want   string // description or error
	}{
		"the service's own":  {Config{}, "Scaffold{TraceIDRatioBased{0.25},min=1/s}"},
		"always on":          {Config{Sampler: "always_on"}, "AlwaysOnSampler"},
		"a ratio":            {Config{Sampler: "traceidratio", SamplerArg: "0.5"}, "TraceIDRatioBased{0.5}"},
		"no exporter at all": {Config{TracesExporter: "none"}, "AlwaysOffSampler"},
		"an invalid ratio": {Config{Sampler: "traceidratio", SamplerArg: "half"},
			`OTEL_TRACES_SAMPLER_ARG="half" is not a ratio; write a number from 0 to 1`},
		"an unknown name": {Config{Sampler: "some"}, `OTEL_TRACES_SAMPLER="some" is unknown; write always_on, always_off, traceidratio, ` +
			`parentbased_always_on, parentbased_always_off or parentbased_traceidratio`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.config.TracesExporter == "" {
				tc.config.TracesExporter = "otlp"
			}
			s, err := tc.config.sampler(Sampling{Ratio: 0.25}, time.Now)
			var got string
			if err != nil {
				got = err.Error()
			} else {
				got = s.Description()
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
