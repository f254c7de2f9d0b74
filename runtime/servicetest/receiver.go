package servicetest

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span that a collector received.
type Span struct {
	TraceID, SpanID, ParentID string // hex; ParentID is empty for a root span
	Name                      string
	Kind                      tracepb.Span_SpanKind
	Attributes                map[string]any // strings, booleans, int64 and float64
	Resource                  map[string]any
	Events                    []string // names
	Failed                    bool     // status Error
	StatusMessage             string
	Start, End                time.Time
}

// Profile is an upload to a profile server.
type Profile struct {
	Name string // application name with tags, such as orders{service_version=v1}
	Size int    // bytes of the body
	Data []byte // the profile in the pprof format
}

// Receiver is an OTLP/HTTP collector and a profile server that store what they receive. It is
// safe for concurrent use.
type Receiver struct {
	URL string

	mu       sync.Mutex
	spans    []Span
	logs     []string
	metrics  []string
	profiles []Profile
}

// NewReceiver starts a receiver that stops with the test.
func NewReceiver(tb testing.TB) *Receiver {
	tb.Helper()
	r, stop := ListenReceiver()
	tb.Cleanup(stop)
	return r
}

// ListenReceiver starts a receiver outside a test, on a free loopback port. Call stop to stop it.
func ListenReceiver() (r *Receiver, stop func()) {
	r = &Receiver{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", r.takeTraces)
	mux.HandleFunc("POST /v1/logs", r.takeLogs)
	mux.HandleFunc("POST /v1/metrics", r.takeMetrics)
	mux.HandleFunc("POST /ingest", r.takeProfile)
	server := httptest.NewServer(mux)
	r.URL = server.URL
	return r, server.Close
}

// Spans returns the spans received so far, in the order of arrival.
func (r *Receiver) Spans() []Span { return locked(r, &r.spans) }

// Logs returns the bodies of the log records received so far.
func (r *Receiver) Logs() []string { return locked(r, &r.logs) }

// Metrics returns the names of the metrics pushed so far, repeated for each push.
func (r *Receiver) Metrics() []string { return locked(r, &r.metrics) }

// Profiles returns the profiles uploaded so far.
func (r *Receiver) Profiles() []Profile { return locked(r, &r.profiles) }

func locked[T any](r *Receiver, list *[]T) []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(*list)
}

func (r *Receiver) takeTraces(w http.ResponseWriter, req *http.Request) {
	var msg collectortrace.ExportTraceServiceRequest
	if !read(w, req, &msg) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rs := range msg.GetResourceSpans() {
		resource := attributes(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				r.spans = append(r.spans, spanOf(s, resource))
			}
		}
	}
	respond(w, &collectortrace.ExportTraceServiceResponse{})
}

func spanOf(s *tracepb.Span, resource map[string]any) Span {
	out := Span{
		TraceID: hex.EncodeToString(s.GetTraceId()), SpanID: hex.EncodeToString(s.GetSpanId()),
		ParentID: hex.EncodeToString(s.GetParentSpanId()), Name: s.GetName(), Kind: s.GetKind(),
		Attributes: attributes(s.GetAttributes()), Resource: resource,
		Failed:        s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
		StatusMessage: s.GetStatus().GetMessage(),
		Start:         time.Unix(0, int64(s.GetStartTimeUnixNano())), //nolint:gosec // a time of this century fits
		End:           time.Unix(0, int64(s.GetEndTimeUnixNano())),   //nolint:gosec // a time of this century fits
	}
	for _, e := range s.GetEvents() {
		out.Events = append(out.Events, e.GetName())
	}
	return out
}

func (r *Receiver) takeLogs(w http.ResponseWriter, req *http.Request) {
	var msg collectorlogs.ExportLogsServiceRequest
	if !read(w, req, &msg) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rl := range msg.GetResourceLogs() {
		for _, sl := range rl.GetScopeLogs() {
			for _, record := range sl.GetLogRecords() {
				r.logs = append(r.logs, record.GetBody().GetStringValue())
			}
		}
	}
	respond(w, &collectorlogs.ExportLogsServiceResponse{})
}

func (r *Receiver) takeMetrics(w http.ResponseWriter, req *http.Request) {
	var msg collectormetrics.ExportMetricsServiceRequest
	if !read(w, req, &msg) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rm := range msg.GetResourceMetrics() {
		for _, sm := range rm.GetScopeMetrics() {
			for _, m := range sm.GetMetrics() {
				r.metrics = append(r.metrics, m.GetName())
			}
		}
	}
	respond(w, &collectormetrics.ExportMetricsServiceResponse{})
}

func (r *Receiver) takeProfile(w http.ResponseWriter, req *http.Request) {
	var body bytes.Buffer
	req.Body = io.NopCloser(io.TeeReader(req.Body, &body))
	data, err := uploaded(w, req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.profiles = append(r.profiles, Profile{Name: req.URL.Query().Get("name"), Size: body.Len(), Data: data})
}

// maxProfile is the maximum size of an upload; real ones have about 100 KiB.
const maxProfile = 16 << 20

func uploaded(w http.ResponseWriter, req *http.Request) ([]byte, error) {
	req.Body = http.MaxBytesReader(w, req.Body, maxProfile)
	if err := req.ParseMultipartForm(maxProfile); err != nil { //nolint:gosec // bounded one line above
		return nil, err
	}
	file, _, err := req.FormFile("profile")
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(file)
}

func read(w http.ResponseWriter, req *http.Request, msg proto.Message) bool {
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(req.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return false
		}
		body = unzipped
	}
	data, err := io.ReadAll(body)
	if err == nil {
		err = proto.Unmarshal(data, msg)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func respond(w http.ResponseWriter, msg proto.Message) {
	data, err := proto.Marshal(msg)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(data)
}

func attributes(list []*common.KeyValue) map[string]any {
	out := make(map[string]any, len(list))
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[kv.GetKey()] = v.StringValue
		case *common.AnyValue_BoolValue:
			out[kv.GetKey()] = v.BoolValue
		case *common.AnyValue_IntValue:
			out[kv.GetKey()] = v.IntValue
		case *common.AnyValue_DoubleValue:
			out[kv.GetKey()] = v.DoubleValue
		}
	}
	return out
}
