package health

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

const (
	ok          = http.StatusOK
	unavailable = http.StatusServiceUnavailable
)

// errorLength is the maximum number of runes of a check's error that a probe shows.
const errorLength = 200

// response is the response of a probe. It is rendered after each result of a check, and not for
// each probe.
type response struct {
	code int
	body []byte
}

type responses struct{ startup, ready response }

// Report is the body of a probe's response.
type Report struct {
	// Status is alive (/livez), started (/startupz), starting, ready, degraded,
	// unready or draining.
	Status string        `json:"status"`
	Checks []CheckReport `json:"checks,omitempty"`
}

// CheckReport is the last result of a check.
type CheckReport struct {
	Name      string     `json:"name"`
	Status    string     `json:"status"` // pending, up or down
	Critical  bool       `json:"critical"`
	Optional  bool       `json:"optional,omitempty"`         // the service is ready without it
	Since     time.Time  `json:"since"`                      // last change of Status
	CheckedAt *time.Time `json:"checked_at,omitempty"`       // nil before the first result
	Seconds   float64    `json:"duration_seconds,omitempty"` // duration of the last run
	Error     string     `json:"error,omitempty"`            // of the last run, even if Status is still up
}

// publish renders the responses of the probes. The caller holds the mutex.
func (m *Monitor) publish() {
	first := !m.passed && m.started && m.allPassed()
	m.passed = m.passed || first
	code, status := m.judge()
	report := Report{Status: status}
	for _, c := range m.checks {
		report.Checks = append(report.Checks, c.report())
	}
	next := &responses{ready: render(code, report)}
	next.startup = response{code: unavailable, body: next.ready.body}
	if m.passed {
		next.startup = render(ok, Report{Status: "started", Checks: report.Checks})
	}
	m.responses.Store(next)
	if code == ok {
		m.ready.Set(1)
	} else {
		m.ready.Set(0)
	}
	if first {
		close(m.startedC) // after the responses, which receivers read next
	}
}

func (m *Monitor) allPassed() bool {
	for _, c := range m.checks {
		if c.state() == pending && !c.optional {
			return false
		}
	}
	return true
}

// judge returns status code and status of /readyz.
func (m *Monitor) judge() (code int, status string) {
	switch {
	case m.draining:
		return unavailable, "draining"
	case !m.passed:
		return unavailable, "starting"
	}
	code, status = ok, "ready"
	for _, c := range m.checks {
		if c.state() == up {
			continue
		}
		if c.critical {
			return unavailable, "unready"
		}
		status = "degraded"
	}
	return code, status
}

func (c *check) report() CheckReport {
	r := CheckReport{
		Name: c.name, Status: string(c.state()), Critical: c.critical, Optional: c.optional,
		Since: c.since.UTC(), Seconds: c.took.Seconds(),
	}
	if !c.last.IsZero() {
		at := c.last.UTC()
		r.CheckedAt = &at
	}
	if c.lastErr != nil {
		r.Error = shorten(c.lastErr.Error())
	}
	return r
}

func shorten(text string) string {
	if runes := []rune(text); len(runes) > errorLength {
		return string(runes[:errorLength]) + "..."
	}
	return text
}

// render does not fail: all fields of a Report can be encoded.
func render(code int, r Report) response {
	body, err := json.Marshal(r)
	if err != nil {
		body = []byte(`{"status":` + strconv.Quote(r.Status) + `}`)
	}
	return response{code: code, body: append(body, '\n')}
}

// Startupz returns the handler of /startupz. It responds with 200 after the service has started
// and all checks have succeeded once.
func (m *Monitor) Startupz() http.Handler {
	return probe(func() response { return m.responses.Load().startup })
}

// Readyz returns the handler of /readyz. It responds with 503 during the start, while draining,
// and while a [Critical] check is down, otherwise with 200. The status is "degraded" while
// another check is down.
func (m *Monitor) Readyz() http.Handler {
	return probe(func() response { return m.responses.Load().ready })
}

// Livez returns the handler of /livez. It always responds with 200.
func (m *Monitor) Livez() http.Handler {
	alive := render(ok, Report{Status: "alive"})
	return probe(func() response { return alive })
}

// probe responds to GET and HEAD without caching.
func probe(current func() response) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed; use GET or HEAD", http.StatusMethodNotAllowed)
			return
		}
		a := current()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.code)
		if r.Method == http.MethodGet {
			_, _ = w.Write(a.body) // the client may have disconnected
		}
	})
}
