package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	goruntime "runtime"
	"strings"
	"time"

	"github.com/grafana/pyroscope-go"

	"go.opentelemetry.io/otel/attribute"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// mutexFraction samples one in a hundred contended locks: enough for a flame
// graph of lock waits at a cost that does not show in one of CPU.
const mutexFraction = 100

// profileAnswer is the most that is read of a profile server's answer, in bytes:
// an error message and not more.
const profileAnswer = 64 << 10

func (t *Telemetry) initProfiles() {
	if t.opts.Config.PyroscopeAddress == "" || t.opts.Config.Disabled {
		return
	}
	var profiler *pyroscope.Profiler
	t.signals = append(t.signals, signal{
		name: semconv.SignalProfiles,
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
			return t.ending(ctx, semconv.SignalProfiles, profiler.Stop)
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
		Logger:            profilerLog{t.logger, t.dropper(semconv.SignalProfiles)},
		HTTPClient:        profileClient{&http.Client{Timeout: exportTimeout}, t.dropper(semconv.SignalProfiles)},
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

// ending returns when f does, or a moment after the context ends; then the last
// of the signal counts as dropped. The goroutine of an f that hangs ends with the
// process, which is about to exit.
func (t *Telemetry) ending(ctx context.Context, signal string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(settle):
		t.dropper(signal)(semconv.DropShutdown, 1)
		return ctx.Err()
	}
}

// profileClient counts uploads that did not arrive.
type profileClient struct {
	client *http.Client
	drop   func(reason string, n int)
}

// Do implements the HTTP client that pyroscope-go wants. It reads the answer
// itself, because the profiler would read one of any length.
func (c profileClient) Do(r *http.Request) (*http.Response, error) {
	res, err := c.client.Do(r) //nolint:gosec // the address is the operator's
	if err != nil {
		c.drop(semconv.DropExportFailed, 1)
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, profileAnswer))
	if err != nil || res.StatusCode != http.StatusOK {
		c.drop(semconv.DropExportFailed, 1)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, err
}

// profilerLog keeps the profiler's chatter at debug level; its errors are
// warnings, because the service itself is well.
type profilerLog struct {
	log  *slog.Logger
	drop func(reason string, n int)
}

// profilesFull is what the profiler says, and nothing else, when its own queue
// drops an upload.
const profilesFull = "remote upload queue is full"

func (l profilerLog) Infof(format string, args ...any) { l.Debugf(format, args...) }
func (l profilerLog) Debugf(format string, args ...any) {
	l.log.Debug("profiler", slog.String("detail", fmt.Sprintf(format, args...)))
}

func (l profilerLog) Errorf(format string, args ...any) {
	if strings.HasPrefix(format, profilesFull) {
		l.drop(semconv.DropQueueFull, 1)
	}
	l.log.Warn("profiles were not delivered", slog.String("error", strings.TrimSpace(fmt.Sprintf(format, args...))))
}
