package runtime_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	goruntime "runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// Limits of the effect of telemetry while all backends are broken. A request takes a millisecond
// and an attempt to deliver ten seconds, so anything that waits for a backend exceeds them, even
// on a slow machine.
const (
	hurtRequest = 5 * time.Second  // a request; more means that it waited for a backend
	hurtStart   = 8 * time.Second  // from the start until ready
	hurtBudget  = 2 * time.Second  // STOP_TIMEOUT of these services
	goodBudget  = 20 * time.Second // the same with a collector that works: on a busy machine, too, all data arrives
	hurtExit    = 10 * time.Second // the budget, a second for log lines, and a slow machine
)

// brokenOff is how many pushes of metrics a shutdown may interrupt. Its own last push replaces
// them.
const brokenOff = 1

// slowResponse is the delay of a slow backend: twice the difference that counts as slower.
const slowResponse = 2 * patientMore

// Export paths that a broken backend may serve.
const (
	overHTTP     = "http/protobuf"  // OTLP
	overGRPC     = "grpc"           // OTLP
	profilesOnly = "profiles alone" // while the collector works
)

// fault is a way in which a backend is broken.
type fault struct {
	// open returns the address of the backend and a function that returns how many spans or
	// uploads arrived.
	open func(t *testing.T, protocol string) (url string, arrived func() int)
	// reasons: at least one of them is counted for each lost signal; none if nothing is lost.
	reasons []string
	// lost are the signals with drops.
	lost []string
	// first reports whether data must have arrived before the service stops.
	first bool
	// takesProfiles reports whether the profile server responds with 200, so that no upload
	// counts as failed.
	takesProfiles bool
	// otlpOnly reports whether the fault does not apply to a profile server.
	otlpOnly bool
	// holds reports whether exports get no response until their timeout, so that the queues fill.
	holds bool
	// budget is the budget of the shutdown; hurtBudget if 0.
	budget time.Duration
}

var (
	everything = []string{semconv.SignalTraces, semconv.SignalLogs, semconv.SignalMetrics, semconv.SignalProfiles}
	collected  = []string{semconv.SignalTraces, semconv.SignalLogs, semconv.SignalMetrics}
	undone     = []string{semconv.DropExportFailed, semconv.DropShutdown}
)

func none() int { return 0 }

func faults() map[string]fault {
	return map[string]fault{
		"absent":      {open: openAbsent, reasons: undone, lost: everything},
		"unreachable": {open: openUnreachable, reasons: undone, lost: everything, holds: true},
		"hanging":     {open: openHanging, reasons: undone, lost: everything, holds: true},
		"dying":       {open: openDying, reasons: undone, lost: everything},
		"garbage":     {open: openGarbage, reasons: undone, lost: everything},
		"overloaded":  {open: responding(faulty{code: http.StatusServiceUnavailable}), reasons: undone, lost: everything},
		"rejecting":   {open: responding(faulty{code: http.StatusBadRequest}), reasons: undone, lost: everything},
		"slow":        {open: responding(faulty{delay: slowResponse}), takesProfiles: true, budget: goodBudget},
		"partial":     {open: responding(faulty{rejects: 1}), reasons: []string{semconv.DropRejected}, lost: collected, takesProfiles: true, otlpOnly: true, budget: goodBudget},
		"invalid":     {open: openLying, reasons: undone, lost: collected, takesProfiles: true},
		"endless":     {open: openEndless, reasons: undone, lost: collected, takesProfiles: true},
		"half-way":    {open: responding(faulty{dies: true}), reasons: undone, lost: []string{semconv.SignalTraces, semconv.SignalProfiles}, first: true},
		"too many":    {open: responding(faulty{code: http.StatusTooManyRequests}), reasons: undone, lost: everything},
	}
}

// With any broken backend, no request fails or waits, start and exit stay within their limits,
// the exit code is 0, and everything that did not arrive is counted.
func TestTelemetryCannotHurt(t *testing.T) {
	t.Parallel()
	for name, f := range faults() {
		for _, way := range f.ways() {
			t.Run(name+" over "+way, func(t *testing.T) {
				t.Parallel()
				hurt(t, f, way)
			})
		}
	}
}

func (f fault) ways() []string {
	if f.otlpOnly {
		return []string{overHTTP, overGRPC}
	}
	return []string{overHTTP, overGRPC, profilesOnly}
}

// openCollector opens the OTLP backend.
func (f fault) openCollector(t *testing.T, way string) (url string, arrived func() int) {
	if way == profilesOnly {
		return responding(faulty{})(t, overHTTP)
	}
	return f.open(t, way)
}

// sending returns the environment of a service that exports all signals as often as possible, and
// profiles only with an address.
func sending(way, collector, profiles string, budget time.Duration) []string {
	protocol := way
	if way == profilesOnly {
		protocol = overHTTP
	}
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector, "OTEL_EXPORTER_OTLP_PROTOCOL=" + protocol,
		"OTEL_METRICS_EXPORTER=otlp", "OTEL_LOGS_EXPORTER=otlp", "METRICS_PUSH_INTERVAL=1s",
		"PYROSCOPE_SERVER_ADDRESS=" + profiles, "PYROSCOPE_UPLOAD_INTERVAL=1s", "STOP_TIMEOUT=" + budget.String(),
	}
}

func hurt(t *testing.T, f fault, way string) {
	url, arrived := f.openCollector(t, way)
	profiles, uploaded := f.open(t, overHTTP)
	budget := cmp.Or(f.budget, hurtBudget)
	if way == profilesOnly {
		budget = goodBudget
	}
	var drops map[string]map[string]int
	began := time.Now()
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		svc.OnStop("look", func(context.Context) error { // runs after the flush
			drops = dropped(t, svc)
			return nil
		})
		return simple(ctx, svc)
	}, sending(way, url, profiles, budget)...)
	if took := time.Since(began); took > hurtStart {
		t.Errorf("starting took %s, limit %s", took, hurtStart)
	}
	const requests = 100
	load(t, svc.URL+"/orders", requests)
	if f.first {
		eventually(t, "spans and profiles arrive", func() bool { return arrived() > 0 && uploaded() > 0 })
	}
	began = time.Now()
	if status := svc.Stop(); status != 0 || svc.Stderr() != "" {
		t.Errorf("status %d, stderr %s", status, svc.Stderr())
	}
	if took := time.Since(began); took > hurtExit+budget {
		t.Errorf("stopping took %s with a budget of %s", took, budget)
	}
	if way == profilesOnly {
		f.lost = slices.DeleteFunc(slices.Clone(f.lost), func(signal string) bool { return slices.Contains(collected, signal) })
		unharmed(t, drops)
	}
	f.check(t, drops, requests+1, arrived()) // one span of the shutdown
}

// unharmed checks that data for a working collector arrives, whatever happens to profiles. Only
// log lines about the end of other signals may come after the end of the logs.
func unharmed(t *testing.T, drops map[string]map[string]int) {
	t.Helper()
	for _, signal := range collected {
		for reason, n := range drops[signal] {
			last := signal == semconv.SignalLogs && reason == semconv.DropShutdown
			push := signal == semconv.SignalMetrics && reason == semconv.DropExportFailed && n <= brokenOff
			if n > 0 && !last && !push {
				t.Errorf("%d of %s count as dropped for %s with a working collector", n, signal, reason)
			}
		}
	}
}

// check compares the drops with the created and the received data.
func (f fault) check(t *testing.T, drops map[string]map[string]int, spans, arrived int) {
	t.Helper()
	for _, signal := range f.lost {
		n := 0
		for _, reason := range f.reasons {
			n += drops[signal][reason]
		}
		if n == 0 {
			t.Errorf("%s were lost, and the drops are %v", signal, drops[signal])
		}
	}
	if n := drops[semconv.SignalProfiles][semconv.DropExportFailed]; f.takesProfiles && n > 0 {
		t.Errorf("%d profiles count as failed, but all were accepted", n)
	}
	lost := 0
	for _, n := range drops[semconv.SignalTraces] {
		lost += n
	}
	if arrived+lost != spans {
		t.Errorf("%d spans were made, %d arrived and %d count as dropped: %v", spans, arrived, lost, drops[semconv.SignalTraces])
	}
	if len(f.lost) == 0 && (lost > 0 || drops[semconv.SignalMetrics][semconv.DropExportFailed] > brokenOff) {
		t.Errorf("no drops expected, got %v", drops)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(servicetest.Timeout)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %s for: %s", servicetest.Timeout, what)
		}
	}
}

// load sends sequential requests on reused connections.
func load(t *testing.T, url string, requests int) {
	t.Helper()
	client := &http.Client{Timeout: hurtRequest, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	for range requests {
		ask(t, client, url)
	}
}

// dropped returns the drops by signal and reason.
func dropped(t *testing.T, svc *runtime.Service) map[string]map[string]int {
	families, err := svc.Metrics().Gather()
	if err != nil {
		t.Error(err)
	}
	all := map[string]map[string]int{}
	for _, family := range families {
		if family.GetName() != semconv.RuntimeTelemetryDropped {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			signal := labels[semconv.LabelSignal]
			if all[signal] == nil {
				all[signal] = map[string]int{}
			}
			all[signal][labels[semconv.LabelReason]] = int(m.GetCounter().GetValue())
		}
	}
	return all
}

// Every pair of signal and reason starts at zero.
func TestDropsExistFromTheStart(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, info, runtime.Defaults{}, simple)
	for _, signal := range semconv.Signals() {
		for _, reason := range semconv.DropReasons() {
			labels := map[string]string{semconv.LabelSignal: signal, semconv.LabelReason: reason}
			if n, found := svc.Metric(semconv.RuntimeTelemetryDropped, labels); !found || n != 0 {
				t.Errorf("%v: %v %v", labels, n, found)
			}
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// openAbsent returns a port without a listener.
func openAbsent(t *testing.T, _ string) (string, func() int) {
	l := listen(t)
	_ = l.Close()
	return "http://" + l.Addr().String(), none
}

func openUnreachable(t *testing.T, _ string) (string, func() int) {
	return "http://" + unreachable(t), none
}

// openHanging returns a backend whose kernel accepts connections and that never responds.
func openHanging(t *testing.T, _ string) (string, func() int) {
	return "http://" + listen(t).Addr().String(), none
}

// serveConns handles each connection with respond.
func serveConns(t *testing.T, respond func(net.Conn)) string {
	l := listen(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				respond(conn)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func serveHTTP(t *testing.T, respond http.HandlerFunc) string {
	server := httptest.NewServer(respond)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// openDying returns a backend that closes connections during the response.
func openDying(t *testing.T, _ string) (string, func() int) {
	return serveConns(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 64))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhal")
	}), none
}

// openGarbage returns a backend whose responses are not HTTP.
func openGarbage(t *testing.T, _ string) (string, func() int) {
	return serveConns(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 64))
		_, _ = io.WriteString(conn, "\x00\xff\x16\x03 ok\r\n\r\n")
	}), none
}

// openLying returns a backend that responds with 200 and an invalid body.
func openLying(t *testing.T, _ string) (string, func() int) {
	return serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = io.WriteString(w, "\xff\xff\xff ok")
	}), none
}

// openEndless returns a backend with endless response bodies, at the speed of a network. At full
// speed it would use the CPU that the test measures.
func openEndless(t *testing.T, _ string) (string, func() int) {
	return serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-protobuf")
		chunk := make([]byte, 64<<10)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}), none
}

// faulty is the behavior of a backend that parses requests.
type faulty struct {
	code    int // HTTP status; 0 accepts the data
	delay   time.Duration
	rejects int64 // of each batch
	dies    bool  // after it has accepted spans or profiles
}

// backend is a collector and a profile server over HTTP or gRPC.
type backend struct {
	faulty

	spans   atomic.Int64 // accepted spans
	uploads atomic.Int64 // of profiles
}

func responding(how faulty) func(t *testing.T, protocol string) (string, func() int) {
	return func(t *testing.T, protocol string) (string, func() int) {
		b := &backend{faulty: how}
		arrived := func() int { return int(b.spans.Load() + b.uploads.Load()) }
		if protocol == overGRPC {
			return b.serveGRPC(t), arrived
		}
		return serveHTTP(t, b.ServeHTTP), arrived
	}
}

func (b *backend) dead() bool { return b.dies && b.spans.Load()+b.uploads.Load() > 0 }

// ServeHTTP implements [http.Handler].
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || b.dead() {
		panic(http.ErrAbortHandler)
	}
	time.Sleep(b.delay)
	if b.code != 0 {
		w.WriteHeader(b.code)
		return
	}
	reply, err := b.take(r.URL.Path, body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(reply)
}

func (b *backend) take(path string, body []byte) ([]byte, error) {
	switch path {
	case "/v1/traces":
		var req collectortrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &req); err != nil {
			return nil, err
		}
		return proto.Marshal(b.traces(&req))
	case "/v1/logs":
		return proto.Marshal(b.logs())
	case "/v1/metrics":
		return proto.Marshal(b.metrics())
	case "/ingest":
		b.uploads.Add(1)
		return nil, nil
	}
	return nil, errors.New("unknown signal")
}

func (b *backend) traces(req *collectortrace.ExportTraceServiceRequest) *collectortrace.ExportTraceServiceResponse {
	for _, resource := range req.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			b.spans.Add(int64(len(scope.GetSpans())))
		}
	}
	b.spans.Add(-b.rejects)
	if b.rejects == 0 {
		return &collectortrace.ExportTraceServiceResponse{}
	}
	return &collectortrace.ExportTraceServiceResponse{
		PartialSuccess: &collectortrace.ExportTracePartialSuccess{RejectedSpans: b.rejects, ErrorMessage: "too many"},
	}
}

func (b *backend) logs() *collectorlogs.ExportLogsServiceResponse {
	if b.rejects == 0 {
		return &collectorlogs.ExportLogsServiceResponse{}
	}
	return &collectorlogs.ExportLogsServiceResponse{PartialSuccess: &collectorlogs.ExportLogsPartialSuccess{RejectedLogRecords: b.rejects}}
}

func (b *backend) metrics() *collectormetrics.ExportMetricsServiceResponse {
	if b.rejects == 0 {
		return &collectormetrics.ExportMetricsServiceResponse{}
	}
	return &collectormetrics.ExportMetricsServiceResponse{PartialSuccess: &collectormetrics.ExportMetricsPartialSuccess{RejectedDataPoints: b.rejects}}
}

// serveGRPC serves gRPC; a fault closes the connection, as with HTTP.
func (b *backend) serveGRPC(t *testing.T) string {
	l := listen(t)
	server := grpc.NewServer(grpc.UnaryInterceptor(b.intercept))
	collectortrace.RegisterTraceServiceServer(server, traceService{b: b})
	collectorlogs.RegisterLogsServiceServer(server, logService{b: b})
	collectormetrics.RegisterMetricsServiceServer(server, metricService{b: b})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return "http://" + l.Addr().String()
}

func (b *backend) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if b.dead() {
		return nil, status.Error(codes.Unavailable, "dying")
	}
	time.Sleep(b.delay)
	switch b.code {
	case 0:
		return handle(ctx, req)
	case http.StatusServiceUnavailable:
		return nil, status.Error(codes.Unavailable, "overloaded")
	case http.StatusTooManyRequests:
		return nil, status.Error(codes.ResourceExhausted, "too many")
	}
	return nil, status.Error(codes.InvalidArgument, "rejected")
}

type traceService struct {
	collectortrace.UnimplementedTraceServiceServer
	b *backend
}

func (s traceService) Export(_ context.Context, req *collectortrace.ExportTraceServiceRequest) (*collectortrace.ExportTraceServiceResponse, error) {
	return s.b.traces(req), nil
}

type logService struct {
	collectorlogs.UnimplementedLogsServiceServer
	b *backend
}

func (s logService) Export(context.Context, *collectorlogs.ExportLogsServiceRequest) (*collectorlogs.ExportLogsServiceResponse, error) {
	return s.b.logs(), nil
}

type metricService struct {
	collectormetrics.UnimplementedMetricsServiceServer
	b *backend
}

func (s metricService) Export(context.Context, *collectormetrics.ExportMetricsServiceRequest) (*collectormetrics.ExportMetricsServiceResponse, error) {
	return s.b.metrics(), nil
}

// While every request fails, the minimum sampling rate and the limit of error and slow spans
// apply, and such a span has the ids of its request's log line.
func TestSamplingHoldsWhileEverythingFails(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/fails", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		svc.Handle(router)
		return svc.Run(ctx)
	}, "OTEL_TRACES_SAMPLER=", "TRACE_RATIO=0")
	const requests = 400
	began := time.Now()
	for range requests {
		res, err := http.Get(svc.URL + "/fails")
		if err != nil || res.StatusCode != http.StatusInternalServerError {
			t.Fatalf("%v %v", res, err)
		}
		_ = res.Body.Close()
	}
	seconds := int(time.Now().Unix() - began.Unix() + 1)
	counted, _ := svc.Metric(semconv.RuntimeErrorSlowSpans, nil)
	svc.Stop()
	kinds, inLog := map[any]int{}, 0
	logged := map[any]bool{}
	for _, l := range svc.Logs() {
		logged[l["trace_id"]] = true
	}
	for _, s := range svc.Spans() {
		if s.Name != "GET /fails" {
			continue
		}
		kinds[s.Attributes["scaffold.sampling"]]++
		if !s.Failed {
			t.Errorf("a span without the error status: %+v", s)
		}
		if logged[s.TraceID] {
			inLog++
		}
	}
	if inLog == 0 { // not all: identical errors are limited
		t.Error("no span has the trace id of a log line")
	}
	if got := kinds["error_slow"]; got < 1 || got > 10*seconds || got != int(counted) {
		t.Errorf("%d error and slow spans in %d seconds, %v counted", got, seconds, counted)
	}
	if got := kinds["min_rate"]; got < 1 || got > seconds {
		t.Errorf("%d spans of the minimum sampling rate in %d seconds", got, seconds)
	}
	if kinds["error_slow"]+kinds["min_rate"] >= requests || len(kinds) != 2 {
		t.Errorf("%d requests made spans of these kinds: %v", requests, kinds)
	}
}

// Memory for undelivered spans is limited: ten times the spans need no more of it.
func TestMemoryStaysBoundedWithoutACollector(t *testing.T) { //nolint:paralleltest // measures the heap of the process
	url, _ := openHanging(t, "")
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard, Config: telemetry.Config{
		Endpoint: url, LogsExporter: "otlp", Sampler: "always_on", Protocol: "http/protobuf",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := tel.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	tracer := tel.TracerProvider().Tracer("test")
	heapAfter := func(spans int) uint64 {
		for range spans {
			ctx, span := tracer.Start(t.Context(), "work")
			tel.Logger().InfoContext(ctx, "worked")
			span.End()
		}
		goruntime.GC()
		var m goruntime.MemStats
		goruntime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	full := heapAfter(10_000) // the queues hold 2048 and a batch of 512 each
	later := heapAfter(100_000)
	const slack = 4 << 20
	if later > full+slack {
		t.Errorf("the heap grew from %d to %d bytes with ten times the spans", full, later)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tel.Shutdown(ended); err == nil {
		t.Error("a flush to a hanging collector succeeded")
	}
}

// process is a service in this test whose standard output is a pipe.
type process struct {
	api, admin string
	reader     *os.File
	signals    chan os.Signal
	exited     chan int
}

func startOnPipe(t *testing.T, env map[string]string) *process {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{reader: reader, signals: make(chan os.Signal, 2), exited: make(chan int, 1)}
	started := make(chan [2]net.Addr, 1)
	go func() {
		p.exited <- runtime.Execute(context.WithoutCancel(t.Context()), runtime.Process{
			LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
			Stdout:    writer, Stderr: t.Output(), Signals: p.signals,
			Started: func(http, admin net.Addr) { started <- [2]net.Addr{http, admin} },
		}, info, runtime.Defaults{HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0"}, simple)
		_ = writer.Close()
	}()
	t.Cleanup(func() { _ = reader.Close() })
	select {
	case addrs := <-started:
		p.api, p.admin = "http://"+addrs[0].String(), "http://"+addrs[1].String()
	case <-time.After(hurtStart):
		t.Fatalf("did not start within %s", hurtStart)
	}
	return p
}

func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signals <- syscall.SIGTERM
	select {
	case status := <-p.exited:
		if status != 0 {
			t.Errorf("status %d", status)
		}
	case <-time.After(hurtExit):
		t.Fatalf("did not end within %s", hurtExit)
	}
}

// A blocked standard output delays neither requests nor the exit; dropped lines are counted.
func TestABlockedStdoutCannotHurt(t *testing.T) {
	t.Parallel()
	p := startOnPipe(t, map[string]string{"ACCESS_LOG": "all", "STOP_TIMEOUT": hurtBudget.String()})
	// A pipe and its buffer hold less than 1.2 MiB; an access line has more than 200 bytes.
	const requests = 8000
	load(t, p.api+"/orders", requests)
	metrics := scrape(t, p.admin)
	blocked := regexp.MustCompile(`(?m)^` + semconv.RuntimeTelemetryDropped + `\{reason="blocked",signal="logs"\} (\S+)$`).FindStringSubmatch(metrics)
	if blocked == nil || blocked[1] == "0" {
		t.Errorf("no line counts as dropped: %v", blocked)
	}
	p.stop(t)
}

func scrape(t *testing.T, admin string) string {
	t.Helper()
	res, err := http.Get(admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// If the reader works, all lines are written when the process ends.
func TestNoLineIsLostAtTheExit(t *testing.T) {
	t.Parallel()
	p := startOnPipe(t, map[string]string{"ACCESS_LOG": "all"})
	read := make(chan string)
	go func() {
		all, _ := io.ReadAll(p.reader)
		read <- string(all)
	}()
	const requests = 500
	load(t, p.api+"/orders", requests)
	p.stop(t)
	all := <-read
	if got := strings.Count(all, `"msg":"request completed"`); got != requests {
		t.Errorf("%d access lines for %d requests", got, requests)
	}
	if last := all[strings.LastIndex(strings.TrimSpace(all), "\n")+1:]; !strings.Contains(last, `"msg":"stopped"`) {
		t.Errorf("the last line is %s", last)
	}
}

// A closed standard output has no effect except lost lines.
func TestAClosedStdoutCannotHurt(t *testing.T) {
	t.Parallel()
	p := startOnPipe(t, map[string]string{"ACCESS_LOG": "all"})
	_ = p.reader.Close()
	load(t, p.api+"/orders", 50)
	p.stop(t)
}

// Each signal with an unreachable backend is logged once a minute, whatever the number of
// attempts.
func TestUnreachableBackendsAreLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	url, _ := openAbsent(t, overHTTP)
	svc := servicetest.Start(t, info, runtime.Defaults{}, simple, sending(overHTTP, url, url, hurtBudget)...)
	load(t, svc.URL+"/orders", 20)
	for _, signal := range everything {
		eventually(t, "failures of "+signal, func() bool {
			load(t, svc.URL+"/orders", 1)
			n, _ := svc.Metric(semconv.RuntimeTelemetryDropped, map[string]string{semconv.LabelSignal: signal, semconv.LabelReason: semconv.DropExportFailed})
			return n >= 3
		})
	}
	lines := map[any]int{}
	for _, l := range svc.Logs() {
		if strings.Contains(l["msg"].(string), "not delivered") {
			lines[l["signal"]]++
		}
	}
	for _, signal := range everything {
		if lines[signal] != 1 {
			t.Errorf("%d lines about %s, want 1", lines[signal], signal)
		}
	}
	delete(lines, "unknown") // the SDK has one error handler per process, which other tests use, too
	if len(lines) != len(everything) {
		t.Errorf("lines %v, want one for each of %v", lines, everything)
	}
}
