package httpserver

import (
	"errors"
	"log/slog"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Keys of the access line. Those that are also labels of metrics have the same names.
const (
	keyMethod      = semconv.LabelMethod
	keyRoute       = semconv.LabelRoute
	keyStatus      = semconv.LabelStatus
	keyOutcome     = semconv.LabelOutcome
	keyPath        = "url_path"
	keyDuration    = "duration_seconds"
	keyBytes       = "http_response_body_size"
	keyRequestSize = "http_request_body_size"
	keyPeer        = "network_peer_address"
	keyID          = "request_id"
	keyErrorType   = "error_type"
	keyError       = "error"
)

// lineAttributes is the maximum number of attributes of an access line.
const lineAttributes = 14

// logAccess writes the access line if the configuration asks for it.
func (x *requestState) logAccess(s *series, e ending, took time.Duration, notable bool) {
	switch x.observer.config.AccessLog {
	case AccessOff:
		return
	case AccessNotable:
		if !notable && !x.ids.flags.IsSampled() {
			return
		}
	}
	var room [lineAttributes]slog.Attr
	attributes := append(room[:0],
		slog.String(keyMethod, s.key.method),
		slog.String(keyRoute, s.key.route),
		slog.String(keyPath, x.request.URL.Path),
		slog.Int(keyStatus, e.status),
		slog.String(keyOutcome, e.outcome),
		slog.Float64(keyDuration, took.Seconds()),
		slog.Int64(keyRequestSize, x.body.size()),
		slog.Int64(keyBytes, x.recorder.bytes),
		slog.String(keyPeer, peer(x.request)),
		slog.String(keyID, x.id[0]),
	)
	if err := x.failure.Load(); err != nil && x.shed.Load() {
		if why, ok := errors.AsType[rejection](*err); ok {
			attributes = append(attributes, why.LogValue().Group()...)
		}
	}
	if e.errorType != "" {
		attributes = append(attributes, slog.String(keyErrorType, e.errorType))
	}
	if err := x.failure.Load(); err != nil && (e.outcome == semconv.OutcomeServerError || err == &errCut) {
		attributes = append(attributes, slog.Any(keyError, *err))
	}
	level, msg := headline(e.outcome)
	x.observer.telemetry.WriteLine(x, x.started.Add(took), level, msg, attributes)
}

// rejection is the error of a request that was shed. Its LogValue has reason and priority.
type rejection interface {
	error
	slog.LogValuer
}

func headline(outcome string) (slog.Level, string) {
	switch outcome {
	case semconv.OutcomeServerError:
		return slog.LevelError, "request failed"
	case semconv.OutcomeShed:
		return slog.LevelWarn, "request shed"
	}
	return slog.LevelInfo, "request completed"
}
