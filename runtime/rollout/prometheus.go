package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an answer: one sample needs a few hundred
// bytes, and an error page of a proxy is cut.
const maxAnswer = 1 << 20

// queryTimeout bounds one query. Prometheus itself gives up after two minutes.
const queryTimeout = 30 * time.Second

// Prometheus asks the HTTP API of one, or of what answers like it.
type Prometheus struct {
	// URL is the address that /api/v1/query stands below, as in
	// http://prometheus.monitoring:9090 or https://mimir.acme.com/prometheus.
	URL string
	// Token is sent as a bearer token unless it is empty. It stands in no error.
	Token string
	// Client sends the requests; nil means one that goes by the proxy variables.
	Client *http.Client
}

// NoDataError says that a query matched nothing.
type NoDataError struct{ Query string }

func (e *NoDataError) Error() string { return "no data for " + e.Query }

// refusedError is an answer that asking again will not change.
type refusedError struct{ reason string }

func (e *refusedError) Error() string { return e.reason }

// answer is what the API sends.
type answer struct {
	Status    string   `json:"status"`
	Error     string   `json:"error"`
	ErrorType string   `json:"errorType"`
	Warnings  []string `json:"warnings"`
	Data      struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
}

// sample is one of a vector: its value is a pair of time and text.
type sample struct {
	Value [2]json.RawMessage `json:"value"`
}

// Number evaluates a query that gives one number. Warnings say why it may not be
// all of it. A query that matches nothing is a [NoDataError].
func (p Prometheus) Number(ctx context.Context, query string) (n float64, warnings []string, err error) {
	a, err := p.ask(ctx, query)
	if err != nil {
		return 0, nil, err
	}
	text, err := a.text(query)
	if err != nil {
		return 0, a.Warnings, err
	}
	n, err = strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, a.Warnings, fmt.Errorf("prometheus answers with %q, which is no number, to %s", text, query)
	}
	return n, a.Warnings, nil
}

// text is the one value of the answer.
func (a answer) text(query string) (string, error) {
	value := [2]json.RawMessage{}
	switch a.Data.ResultType {
	case "scalar":
		if err := json.Unmarshal(a.Data.Result, &value); err != nil {
			return "", fmt.Errorf("prometheus answers what is no scalar: %w", err)
		}
	case "vector":
		var samples []sample
		if err := json.Unmarshal(a.Data.Result, &samples); err != nil {
			return "", fmt.Errorf("prometheus answers what is no vector: %w", err)
		}
		if len(samples) == 0 {
			return "", &NoDataError{query}
		}
		if len(samples) > 1 {
			return "", fmt.Errorf("prometheus answers with %d series where one is asked for by %s", len(samples), query)
		}
		value = samples[0].Value
	default:
		return "", fmt.Errorf("prometheus answers with the type %q where a vector is asked for", a.Data.ResultType)
	}
	var text string
	if err := json.Unmarshal(value[1], &text); err != nil {
		return "", fmt.Errorf("prometheus answers with a value that is no text: %w", err)
	}
	return text, nil
}

// ask posts the query, since some are longer than what proxies take in an
// address.
func (p Prometheus) ask(ctx context.Context, query string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	body := strings.NewReader(url.Values{"query": {query}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(p.URL, "/")+"/api/v1/query", body)
	if err != nil {
		return answer{}, &refusedError{"the address of Prometheus: " + withoutAddress(err).Error()}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.Token != "" {
		req.Header.Set("Authorization", "Bearer "+p.Token)
	}
	client := p.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("prometheus at %s cannot be reached: %w", req.URL.Host, withoutAddress(err))
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("prometheus at %s broke off its answer: %w", req.URL.Host, err)
	}
	return read(resp.StatusCode, text)
}

// withoutAddress leaves out the address, which may hold a password.
func withoutAddress(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// read understands an answer. Prometheus sends JSON with its errors, too; what
// stands before it may send anything.
func read(status int, text []byte) (answer, error) {
	var a answer
	err := json.Unmarshal(text, &a)
	if err == nil && status == http.StatusOK && a.Status == "success" {
		return a, nil
	}
	reason := a.Error
	if reason == "" {
		reason = beginning(text)
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return answer{}, &refusedError{fmt.Sprintf("prometheus refuses with %d: PROMETHEUS_TOKEN is missing or not the right one", status)}
	case status == http.StatusBadRequest || status == http.StatusNotFound || status == http.StatusUnprocessableEntity:
		return answer{}, &refusedError{fmt.Sprintf("prometheus refuses with %d: %s", status, reason)}
	case status == http.StatusOK && err != nil:
		return answer{}, fmt.Errorf("prometheus answers what is not its API: %s", reason)
	}
	return answer{}, fmt.Errorf("prometheus answers with %d: %s", status, reason)
}

// beginning is enough of an answer to recognise it by, on one line.
func beginning(text []byte) string {
	const enough = 200
	words := strings.Join(strings.Fields(string(text)), " ")
	if words == "" {
		return "nothing"
	}
	if len(words) > enough {
		return strings.ToValidUTF8(words[:enough], "") + "…"
	}
	return words
}
