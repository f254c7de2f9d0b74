package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	goruntime "runtime"
	"strings"

	"github.com/grafana/pyroscope-go"

	"go.opentelemetry.io/otel/attribute"
)

// mutexFraction samples one in a hundred contended locks: enough for a flame
// graph of lock waits at a cost that does not show in one of CPU.
const mutexFraction = 100

func (t *Telemetry) initProfiles() {
	if t.opts.Config.PyroscopeAddress == "" || t.opts.Config.Disabled {
		return
	}
	var profiler *pyroscope.Profiler
	t.signals = append(t.signals, signal{
		name: "profiles",
		start: func(context.Context) error {
			goruntime.SetMutexProfileFraction(mutexFraction)
			var err error
			profiler, err = pyroscope.Start(t.profilerConfig())
			return err
		},
		shutdown: func(ctx context.Context) error {
			if profiler == nil {
				return nil
			}
			return waitFor(ctx, profiler.Stop)
		},
	})
}

func (t *Telemetry) profilerConfig() pyroscope.Config {
	c := t.opts.Config
	return pyroscope.Config{
		ApplicationName:   t.opts.Service,
		ServerAddress:     c.PyroscopeAddress,
		BasicAuthUser:     c.PyroscopeUser,
		BasicAuthPassword: c.PyroscopePassword.Reveal(),
		TenantID:          c.PyroscopeTenant,
		Tags:              t.profileTags(),
		UploadRate:        c.PyroscopeInterval,
		Logger:            profilerLog{t.logger},
		HTTPClient:        profileClient{&http.Client{Timeout: exportTimeout}, t.dropper("profiles")},
		// A forced collection before each heap profile would change what is measured.
		DisableGCRuns: true,
		ProfileTypes: []pyroscope.ProfileType{
			pyroscope.ProfileCPU,
			pyroscope.ProfileAllocObjects, pyroscope.ProfileAllocSpace,
			pyroscope.ProfileInuseObjects, pyroscope.ProfileInuseSpace,
			pyroscope.ProfileGoroutines,
			pyroscope.ProfileMutexCount, pyroscope.ProfileMutexDuration,
		},
	}
}

// profileTags keeps the few resource attributes that people filter by. Each
// further one multiplies the series of the profile store.
func (t *Telemetry) profileTags() map[string]string {
	tags := map[string]string{"service_version": t.opts.Version}
	for _, key := range []attribute.Key{"deployment.environment.name", "service.namespace", "host.name"} {
		if v, ok := t.resource.Set().Value(key); ok {
			tags[labelName(string(key))] = v.AsString()
		}
	}
	return tags
}

// waitFor returns when f does or the context ends. The goroutine of an f that
// hangs ends with the process, which is about to exit.
func waitFor(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// profileClient counts uploads that did not arrive.
type profileClient struct {
	client *http.Client
	drop   func(reason string, n int)
}

// Do implements the HTTP client that pyroscope-go wants.
func (c profileClient) Do(r *http.Request) (*http.Response, error) {
	res, err := c.client.Do(r) //nolint:gosec // the address is the operator's
	if err != nil || res.StatusCode >= http.StatusBadRequest {
		c.drop(dropExportFailed, 1)
	}
	return res, err
}

// profilerLog keeps the profiler's chatter at debug level; its errors are
// warnings, because the service itself is well.
type profilerLog struct{ log *slog.Logger }

func (l profilerLog) Infof(format string, args ...any) { l.Debugf(format, args...) }
func (l profilerLog) Debugf(format string, args ...any) {
	l.log.Debug("profiler", slog.String("detail", fmt.Sprintf(format, args...)))
}
func (l profilerLog) Errorf(format string, args ...any) {
	l.log.Warn("profiles were not delivered", slog.String("error", strings.TrimSpace(fmt.Sprintf(format, args...))))
}
