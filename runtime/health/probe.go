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

// errorLength is the most of a check's error that a probe shows, in runes: one
// line of a terminal, enough to tell refused from timed out.
const errorLength = 200

// answer is one probe's response, rendered when a check reports and not when a
// probe asks.
type response struct {
	code int
	body []byte
}

type responses struct{ startup, ready response }

// Report is the body of a probe's answer.
type Report struct {
	// Status is alive (/livez), started (/startupz), starting, ready, degraded,
	// unready or draining.
	Status string        `json:"status"`
	Checks []CheckReport `json:"checks,omitempty"`
}

// CheckReport is what one check found last.
type CheckReport struct {
	Name      string     `json:"name"`
	Status    string     `json:"status"` // pending, up or down
	Critical  bool       `json:"critical"`
	Since     time.Time  `json:"since"`                      // when Status last changed
	CheckedAt *time.Time `json:"checked_at,omitempty"`       // nil before the first result
	Seconds   float64    `json:"duration_seconds,omitempty"` // how long the last run took
	Error     string     `json:"error,omitempty"`            // of the last run, even while Status is still up
}

// publish renders the probes' answers. The caller holds the mutex.
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
		close(m.startedC) // after the answers: who waits for it asks them next
	}
}

func (m *Monitor) allPassed() bool {
	for _, c := range m.checks {
		if c.state() == pending {
			return false
		}
	}
	return true
}

// judge decides what /readyz says.
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
		Name: c.name, Status: string(c.state()), Critical: c.critical,
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

// render cannot fail: a Report holds nothing that JSON does not know.
func render(code int, r Report) response {
	body, err := json.Marshal(r)
	if err != nil {
		body = []byte(`{"status":` + strconv.Quote(r.Status) + `}`)
	}
	return response{code: code, body: append(body, '\n')}
}

// Startupz answers /startupz: 200 once the process has started and each check
// has succeeded once, and for ever after.
func (m *Monitor) Startupz() http.Handler {
	return probe(func() response { return m.responses.Load().startup })
}

// Readyz answers /readyz: 503 while starting, while draining and while a
// [Critical] check is down; otherwise 200, as "degraded" while another check is
// down.
func (m *Monitor) Readyz() http.Handler {
	return probe(func() response { return m.responses.Load().ready })
}

// Livez answers /livez: 200 as long as the process can answer at all.
func (m *Monitor) Livez() http.Handler {
	alive := render(ok, Report{Status: "alive"})
	return probe(func() response { return alive })
}

// probe serves GET and HEAD with an answer that must not be cached.
func probe(current func() response) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "a probe takes GET or HEAD", http.StatusMethodNotAllowed)
			return
		}
		a := current()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.code)
		if r.Method == http.MethodGet {
			_, _ = w.Write(a.body) // the prober may have left
		}
	})
}
