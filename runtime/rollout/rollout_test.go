package rollout_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/rollout"
)

// analysis has queries whose first word selects a response of the test server.
func analysis() rollout.Analysis {
	return rollout.Analysis{
		Service: "orders", Instances: `instances{v="$version",e="$environment"}[$window]`,
		Objectives: []rollout.Objective{
			{Name: "availability", Objective: "99.9", Threshold: 0.0144, Factor: 14.4, MinBadEvents: 5, Total: "requests[$window]", Bad: "failed[$window]"},
			{Name: "latency", Objective: "99", Threshold: 0.144, Factor: 14.4, MinBadEvents: 5, Total: "answers", Good: "fast", Idle: "idle"},
		},
	}
}

// one is the response of Prometheus 3.5 with one sample.
func one(value string) string {
	return `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1795851600.123,"` + value + `"]}]}}`
}

const none = `{"status":"success","data":{"resultType":"vector","result":[]}}`

// recorded are responses by the first word of the query. A status other than 200
// comes before the body.
type recorded map[string]string

// with returns the responses of a good version, except for those given.
func with(responses recorded) recorded {
	all := recorded{"count": one("3"), "requests": one("2000"), "failed": one("2"), "answers": one("1990"), "fast": one("1978"), "idle": none}
	for word, response := range responses {
		if word == "*" {
			for other := range all {
				all[other] = response
			}
		}
		all[word] = response
	}
	return all
}

// prometheus responds to the n-th evaluation with the n-th of the recordings, and
// then with the last one.
type prometheus struct {
	mu      sync.Mutex
	looks   []recorded
	at      int
	queries []string
	tokens  map[string]bool
}

func (p *prometheus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.URL.Path != "/prefix/api/v1/query" || r.Method != http.MethodPost {
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	}
	query := r.PostFormValue("query")
	if strings.HasPrefix(query, "count") {
		p.at++
	}
	p.queries = append(p.queries, query)
	p.tokens[r.Header.Get("Authorization")] = true
	word := query[:strings.IndexAny(query+"[", "([{")]
	response, ok := p.looks[min(p.at, len(p.looks))-1][word]
	if !ok {
		http.Error(w, "unexpected "+query, http.StatusTeapot)
		return
	}
	status := http.StatusOK
	if _, err := fmt.Sscanf(response, "%d ", &status); err == nil {
		_, response, _ = strings.Cut(response, " ")
	}
	w.WriteHeader(status)
	io.WriteString(w, response)
}

// clock advances when the runner waits.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return ctx.Err()
}

func newRunner(t *testing.T, log io.Writer, looks ...recorded) (rollout.Runner, *prometheus, *clock) {
	t.Helper()
	p := &prometheus{looks: looks, tokens: map[string]bool{}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	c := &clock{time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)}
	return rollout.Runner{
		Analysis: analysis(), Environment: "prod", Version: "v2", Duration: 10 * time.Minute, Interval: 30 * time.Second, MinRequests: rollout.MinRequests,
		Querier: rollout.Prometheus{URL: server.URL + "/prefix/", Token: "s3cret"}, Clock: c, Log: log,
	}, p, c
}

func TestResults(t *testing.T) {
	t.Parallel()
	whole := 10 * time.Minute
	retried := whole + time.Minute // the last look twice more
	for name, tt := range map[string]struct {
		looks  []recorded
		want   rollout.Result
		reason string
		took   time.Duration
	}{
		"good":                                 {[]recorded{with(nil)}, rollout.Passed, "availability: 2 of 2000 events bad", whole},
		"failing from the start":               {[]recorded{with(recorded{"requests": one("100"), "failed": one("10")}), with(recorded{"requests": one("200"), "failed": one("20")})}, rollout.Failed, "20 of 200 events bad, 100.0 times what the objective of 99.9 % allows", time.Minute},
		"failing at the end":                   {append(repeat(19, with(nil)), with(recorded{"failed": one("60")})), rollout.Failed, "60 of 2000", whole},
		"slow":                                 {append(repeat(19, with(nil)), with(recorded{"fast": one("1590")})), rollout.Failed, "latency: 400 of 1990", whole},
		"a cold start that is over":            {[]recorded{with(recorded{"requests": one("100"), "failed": one("10")}), with(recorded{"requests": one("2000"), "failed": one("10")})}, rollout.Passed, "10 of 2000", whole},
		"at the threshold":                     {[]recorded{with(recorded{"requests": one("10000"), "failed": one("144")})}, rollout.Passed, "", whole},
		"four bad events":                      {[]recorded{with(recorded{"requests": one("60"), "failed": one("4")})}, rollout.Passed, "", whole},
		"an estimate of five":                  {append(repeat(19, with(nil)), with(recorded{"requests": one("60"), "failed": one("4.6")})), rollout.Failed, "", whole},
		"all of a few requests":                {[]recorded{with(recorded{"requests": one("3"), "failed": one("3")}), with(recorded{"requests": one("6"), "failed": one("6")})}, rollout.Failed, "6 of 6", time.Minute},
		"too few requests":                     {[]recorded{with(recorded{"requests": one("49"), "failed": one("0"), "answers": one("49"), "fast": one("49")})}, rollout.Inconclusive, "fewer than 50 events", whole},
		"no requests":                          {[]recorded{with(recorded{"requests": one("0"), "failed": one("0"), "answers": one("0"), "fast": one("0")})}, rollout.Inconclusive, "no requests reached the new version (3 instances)", whole},
		"one objective with too few events":    {[]recorded{with(recorded{"answers": one("0"), "fast": one("0")})}, rollout.Passed, "latency: 0 of 0 events bad, fewer than 50 events", whole},
		"empty":                                {[]recorded{with(recorded{"*": none})}, rollout.Inconclusive, "no instance of version v2 found in prod", whole},
		"no series of failures":                {[]recorded{with(recorded{"failed": none})}, rollout.Inconclusive, "availability: no data for failed", whole},
		"a missing bucket":                     {[]recorded{with(recorded{"fast": none})}, rollout.Inconclusive, "latency: no data for fast", whole},
		"a histogram without observations yet": {[]recorded{with(recorded{"answers": none, "idle": one("2000")})}, rollout.Passed, "latency: 0 of 0", whole},
		"a missing histogram":                  {[]recorded{with(recorded{"answers": none})}, rollout.Inconclusive, "latency: no data for idle", whole},
		"more good events than total":          {[]recorded{with(recorded{"fast": one("1991")})}, rollout.Passed, "latency: 0 of 1990", whole},
		"no instance, but numbers":             {[]recorded{with(recorded{"count": none})}, rollout.Inconclusive, "no instance", whole},
		"no data at the end":                   {append(repeat(19, with(nil)), with(recorded{"*": none})), rollout.Inconclusive, "no instance", whole},
		"401":                                  {[]recorded{with(recorded{"*": `401 {"status":"error"}`})}, rollout.Inconclusive, "401: PROMETHEUS_TOKEN is missing", 30 * time.Second},
		"403 of a proxy":                       {[]recorded{with(recorded{"*": `403 <html>no</html>`})}, rollout.Inconclusive, "403: PROMETHEUS_TOKEN is missing", 30 * time.Second},
		"400":                                  {[]recorded{with(recorded{"failed": `400 {"status":"error","errorType":"bad_data","error":"parse error"}`})}, rollout.Inconclusive, "400: parse error", 30 * time.Second},
		"429":                                  {[]recorded{with(recorded{"*": `429 too many outstanding requests`})}, rollout.Inconclusive, "429: too many", retried},
		"429 that ends":                        {append(repeat(20, with(recorded{"*": `429 slow down`})), with(nil)), rollout.Passed, "", whole + 30*time.Second},
		"500":                                  {[]recorded{with(recorded{"*": `500 {"status":"error","errorType":"internal","error":"expanding series"}`})}, rollout.Inconclusive, "500: expanding series", retried},
		"500 of one query":                     {[]recorded{with(recorded{"failed": `500 x`})}, rollout.Inconclusive, "500", retried},
		"503 for a while":                      {append(repeat(5, with(recorded{"*": `503 starting`})), with(nil)), rollout.Passed, "", whole},
		"200 and an error":                     {[]recorded{with(recorded{"failed": `{"status":"error","error":"query timed out"}`})}, rollout.Inconclusive, "query timed out", retried},
		"garbage":                              {[]recorded{with(recorded{"*": `<html>Sign in</html>`})}, rollout.Inconclusive, "not from the API of prometheus: <html>Sign in", retried},
		"nothing at all":                       {[]recorded{with(recorded{"*": ``})}, rollout.Inconclusive, "not from the API of prometheus: (empty)", retried},
		"a truncated response":                 {[]recorded{with(recorded{"failed": one("1")[:40]})}, rollout.Inconclusive, "not from the API", retried},
		"another type":                         {[]recorded{with(recorded{"failed": `{"status":"success","data":{"resultType":"matrix","result":[]}}`})}, rollout.Inconclusive, `type "matrix"`, retried},
		"two series":                           {[]recorded{with(recorded{"failed": `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"2"]}]}}`})}, rollout.Inconclusive, "2 series", retried},
		"no number":                            {[]recorded{with(recorded{"failed": one("many")})}, rollout.Inconclusive, `"many", which is not a number`, retried},
		"a number and no text":                 {[]recorded{with(recorded{"failed": `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,2]}]}}`})}, rollout.Inconclusive, "not a string", retried},
		"NaN":                                  {[]recorded{with(recorded{"failed": one("NaN")})}, rollout.Inconclusive, "NaN", retried},
		"infinite":                             {[]recorded{with(recorded{"requests": one("+Inf")})}, rollout.Inconclusive, "+Inf", retried},
		"good, but only a part":                {[]recorded{with(recorded{"requests": warned("2000")})}, rollout.Inconclusive, "incomplete result: store b is away", whole},
		"bad, though only a part":              {append(repeat(19, with(nil)), with(recorded{"failed": warned("60")})), rollout.Failed, "60 of 2000", whole},
		"a scalar":                             {[]recorded{with(recorded{"failed": `{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}`})}, rollout.Passed, "", whole},
		"numbers that go down":                 {[]recorded{with(recorded{"requests": one("400"), "failed": one("40")}), with(recorded{"requests": one("300"), "failed": one("30")})}, rollout.Failed, "30 of 300", whole},
		"failing, then unreachable":            {append(repeat(1, with(recorded{"requests": one("100"), "failed": one("10")})), with(recorded{"*": `500 x`})), rollout.Inconclusive, "500", retried},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			r, p, c := newRunner(t, &log, tt.looks...)
			start := c.now
			got, reason := r.Run(t.Context())
			if got != tt.want || !strings.Contains(reason, tt.reason) {
				t.Errorf("%v: %s; want %v: %s\n%s", got, reason, tt.want, tt.reason, &log)
			}
			if took := c.now.Sub(start); took != tt.took {
				t.Errorf("took %s, want %s", took, tt.took)
			}
			if len(p.tokens) != 1 || !p.tokens["Bearer s3cret"] {
				t.Errorf("authorization %v", p.tokens)
			}
			if text := reason + log.String(); strings.Contains(text, "s3cret") {
				t.Errorf("the token is in a message:\n%s", text)
			}
		})
	}
}

func warned(value string) string {
	return strings.TrimSuffix(one(value), "}") + `,"warnings":["store b is away"],"infos":["a hint"]}`
}

func repeat(n int, r recorded) []recorded {
	var out []recorded
	for range n {
		out = append(out, r)
	}
	return out
}

func TestQueriesAreFilledIn(t *testing.T) {
	t.Parallel()
	r, p, _ := newRunner(t, io.Discard, with(nil))
	r.Version = `v"2\`
	r.Run(t.Context())
	for i, want := range map[int]string{
		0: `count(instances{v="v\"2\\",e="prod"}[30s])`, 1: "requests[30s]", 5: `count(instances{v="v\"2\\",e="prod"}[60s])`,
		len(p.queries) - 4: "requests[600s]",
	} {
		if p.queries[i] != want {
			t.Errorf("query %d: %s, want %s", i, p.queries[i], want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	r, _, _ := newRunner(t, io.Discard, with(nil))
	server := httptest.NewServer(nil)
	server.Close()
	for address, want := range map[string]string{
		server.URL: "cannot be reached", "http://user:pass%zz@127.0.0.1:1": "invalid address of Prometheus",
		strings.Replace(server.URL, "http://", "http://user:hunter2@", 1): "cannot be reached",
	} {
		r.Querier = rollout.Prometheus{URL: address}
		got, reason := r.Run(t.Context())
		if got != rollout.Inconclusive || !strings.Contains(reason, want) || strings.Contains(reason, "hunter2") {
			t.Errorf("%v: %s, want %s", got, reason, want)
		}
		if err := r.Check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("check: %v, want %s", err, want)
		}
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	r, _, _ := newRunner(t, io.Discard, with(nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, reason := r.Run(ctx); got != rollout.Inconclusive || !strings.Contains(reason, "interrupted") {
		t.Errorf("%v: %s", got, reason)
	}
}

func TestNoObjective(t *testing.T) {
	t.Parallel()
	r, _, _ := newRunner(t, io.Discard, with(nil))
	r.Analysis.Objectives, r.Analysis.Skipped = nil, []string{"availability: it has no page"}
	if got, reason := r.Run(t.Context()); got != rollout.Inconclusive || !strings.Contains(reason, "it has no page") {
		t.Errorf("%v: %s", got, reason)
	}
	if err := r.Check(t.Context()); err == nil {
		t.Error("the check finds no problem")
	}
}

func TestCheckNeedsResponsesAndNoData(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		responses recorded
		ok        bool
	}{
		"a first release": {with(recorded{"*": none}), true}, "good": {with(nil), true},
		"401": {with(recorded{"*": "401 x"}), false}, "a query that it rejects": {with(recorded{"fast": "400 x"}), false},
	} {
		r, _, _ := newRunner(t, io.Discard, tt.responses)
		if err := r.Check(t.Context()); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	const objective = `{"name":"a","objective":"99.9","threshold":0.01,"factor":14.4,"minBadEvents":5,"total":"t","bad":"b"}`
	read := func(text string) error {
		_, err := rollout.Read(strings.NewReader(text))
		return err
	}
	if err := read(`{"service":"orders","instances":"p","objectives":[` + objective + `],"skipped":["x"]}`); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{
		"no JSON": `x`, "an unknown key": `{"service":"orders","instances":"p","objectives":[],"more":1}`,
		"no service":   `{"instances":"p","objectives":[]}`,
		"a percentage": `{"service":"orders","instances":"p","objectives":[` + strings.Replace(objective, "0.01", "1.44", 1) + `]}`,
		"no threshold": `{"service":"orders","instances":"p","objectives":[` + strings.Replace(objective, "0.01", "0", 1) + `]}`,
		"no query":     `{"service":"orders","instances":"p","objectives":[` + strings.Replace(objective, `"b"`, `""`, 1) + `]}`,
		"good and bad": `{"service":"orders","instances":"p","objectives":[` + strings.Replace(objective, `"bad":`, `"good":"g","bad":`, 1) + `]}`,
		"negative":     `{"service":"orders","instances":"p","objectives":[` + strings.Replace(objective, `5`, `-5`, 1) + `]}`,
	} {
		if read(text) == nil {
			t.Errorf("%s: read", name)
		}
	}
}
