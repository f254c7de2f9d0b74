package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	goruntime "runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/grafana/pyroscope-go"
	"github.com/grafana/pyroscope-go/upstream"
	"github.com/grafana/pyroscope-go/upstream/remote"
	"go.opentelemetry.io/otel/attribute"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// mutexFraction samples one in a hundred contended locks: enough for a flame graph of lock waits,
// at a negligible cost.
const mutexFraction = 100

// profileThreads is the number of concurrent uploads: one for each kind of profile, as in
// pyroscope.Start.
const profileThreads = 5

// maxProfileResponse is the number of bytes read of a profile server's response, enough for an
// error message.
const maxProfileResponse = 64 << 10

func (t *Telemetry) initProfiles() {
	if t.opts.Config.PyroscopeAddress == "" || t.opts.Config.Disabled {
		return
	}
	var session *pyroscope.Session
	u := &uploads{client: &http.Client{Timeout: exportTimeout}, drop: t.dropper(semconv.SignalProfiles)}
	t.signals = append(t.signals, signal{
		name: semconv.SignalProfiles,
		start: func(context.Context) error {
			goruntime.SetMutexProfileFraction(mutexFraction)
			var err error
			session, err = t.startProfiling(u)
			return err
		},
		shutdown: func(ctx context.Context) error {
			if session == nil {
				return nil
			}
			left, err := ending(ctx, func() error { return u.deliver(session) })
			if left {
				u.abandon()
			}
			return err
		},
	})
}

// startProfiling is pyroscope.Start with uploads between the profiler and its queue.
func (t *Telemetry) startProfiling(u *uploads) (*pyroscope.Session, error) {
	c, log := t.opts.Config, profilerLog{t, u}
	var err error
	u.Remote, err = remote.NewRemote(remote.Config{
		Address:           c.PyroscopeAddress,
		BasicAuthUser:     c.PyroscopeUser,
		BasicAuthPassword: c.PyroscopePassword.Reveal(),
		TenantID:          c.PyroscopeTenant,
		Threads:           profileThreads,
		Logger:            log,
		HTTPClient:        u,
	})
	if err != nil {
		return nil, err
	}
	session, err := pyroscope.NewSession(pyroscope.SessionConfig{
		Upstream:   u,
		AppName:    t.opts.Service,
		Tags:       t.profileTags(),
		UploadRate: c.PyroscopeInterval,
		Logger:     log,
		// A forced collection before each heap profile would distort it.
		DisableGCRuns: true,
		ProfilingTypes: []pyroscope.ProfileType{
			pyroscope.ProfileCPU,
			pyroscope.ProfileAllocObjects, pyroscope.ProfileAllocSpace,
			pyroscope.ProfileInuseObjects, pyroscope.ProfileInuseSpace,
			pyroscope.ProfileGoroutines,
			pyroscope.ProfileMutexCount, pyroscope.ProfileMutexDuration,
		},
	})
	if err != nil {
		return nil, err
	}
	u.Start()
	return session, session.Start()
}

// profileTags returns the resource attributes that users filter by. Each further one multiplies
// the series of the profile store.
func (t *Telemetry) profileTags() map[string]string {
	tags := map[string]string{"service_version": t.opts.Version}
	for _, key := range []attribute.Key{"deployment.environment.name", "service.namespace", "host.name"} {
		if v, ok := t.resource.Set().Value(key); ok {
			tags[labelName(string(key))] = v.AsString()
		}
	}
	return tags
}

// ending returns when f does, or a moment after the context ends, and reports whether f is still
// running. The goroutine of an f that hangs ends with the process.
func ending(ctx context.Context, f func() error) (left bool, err error) {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return false, err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return false, err
	case <-time.After(settle):
		return true, ctx.Err()
	}
}

// uploads is between the profiler and its queue, and counts failed uploads.
type uploads struct {
	*remote.Remote // the queue

	client *http.Client
	drop   func(reason string, n int)
	onWay  atomic.Int64 // queued and neither completed nor abandoned
}

// Upload implements [upstream.Upstream].
func (u *uploads) Upload(job *upstream.UploadJob) {
	u.onWay.Add(1)
	u.Remote.Upload(job)
}

// deliver stops the profiler and waits for all its uploads. The queue alone does not wait for
// them.
func (u *uploads) deliver(session *pyroscope.Session) error {
	session.Stop()
	u.Flush()
	u.Stop()
	return nil
}

// failed counts a failed upload, unless it was abandoned.
func (u *uploads) failed(reason string) {
	if u.over() {
		u.drop(reason, 1)
	}
}

// over records that an upload ended, and reports whether it had not been abandoned.
func (u *uploads) over() bool {
	for {
		n := u.onWay.Load()
		if n == 0 {
			return false
		}
		if u.onWay.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// abandon counts all pending uploads as dropped: the process ends.
func (u *uploads) abandon() {
	if n := u.onWay.Swap(0); n > 0 {
		u.drop(semconv.DropShutdown, int(n))
	}
}

// Do implements the HTTP client of the queue. It reads the response itself, because the queue
// would read one of any length.
func (u *uploads) Do(r *http.Request) (*http.Response, error) {
	res, err := u.client.Do(r) // #nosec G704 -- the address is PYROSCOPE_SERVER_ADDRESS; no request can change it
	if err != nil {
		u.failed(semconv.DropExportFailed)
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProfileResponse))
	if err != nil || res.StatusCode != http.StatusOK {
		u.failed(semconv.DropExportFailed)
	} else {
		u.over()
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, err
}

// profilerLog logs the profiler's messages at debug level, and its errors as warnings.
type profilerLog struct {
	telemetry *Telemetry
	uploads   *uploads
}

// profilesFull is the profiler's message when its queue is full. There is no other sign.
const profilesFull = "remote upload queue is full"

func (l profilerLog) Infof(format string, args ...any) { l.Debugf(format, args...) }
func (l profilerLog) Debugf(format string, args ...any) {
	l.telemetry.logger.Debug("profiler", slog.String("detail", fmt.Sprintf(format, args...)))
}

func (l profilerLog) Errorf(format string, args ...any) {
	if strings.HasPrefix(format, profilesFull) {
		l.uploads.failed(semconv.DropQueueFull)
	}
	l.telemetry.warnUndelivered(semconv.SignalProfiles, errors.New(strings.TrimSpace(fmt.Sprintf(format, args...))))
}
