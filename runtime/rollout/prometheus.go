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

// maxResponse is the number of bytes read of a response. A sample needs a few hundred.
const maxResponse = 1 << 20

// queryTimeout limits a query. Prometheus's own default is two minutes.
const queryTimeout = 30 * time.Second

// Prometheus queries the HTTP API of Prometheus, or of a compatible store.
type Prometheus struct {
	// URL is the address without /api/v1/query, such as http://prometheus.monitoring:9090 or
	// https://mimir.acme.com/prometheus.
	URL string
	// Token is sent as a bearer token unless it is empty. No error contains it.
	Token string
	// Client sends the requests; nil means [http.DefaultClient].
	Client *http.Client
}

// NoDataError means that a query matched nothing.
type NoDataError struct{ Query string }

func (e *NoDataError) Error() string { return "no data for " + e.Query }

// rejectedError is a permanent error.
type rejectedError struct{ reason string }

func (e *rejectedError) Error() string { return e.reason }

type response struct {
	Status    string   `json:"status"`
	Error     string   `json:"error"`
	ErrorType string   `json:"errorType"`
	Warnings  []string `json:"warnings"`
	Data      struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
}

// sample is a sample of a vector: its value is a pair of time and text.
type sample struct {
	Value [2]json.RawMessage `json:"value"`
}

// Number evaluates a query that returns one number. Warnings are reasons why the result may be
// incomplete. A query without a result is a [NoDataError].
func (p Prometheus) Number(ctx context.Context, query string) (n float64, warnings []string, err error) {
	r, err := p.query(ctx, query)
	if err != nil {
		return 0, nil, err
	}
	text, err := r.text(query)
	if err != nil {
		return 0, r.Warnings, err
	}
	n, err = strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, r.Warnings, fmt.Errorf("prometheus returned %q, which is not a number, for %s", text, query)
	}
	return n, r.Warnings, nil
}

// text returns the value of the response.
func (r response) text(query string) (string, error) {
	value := [2]json.RawMessage{}
	switch r.Data.ResultType {
	case "scalar":
		if err := json.Unmarshal(r.Data.Result, &value); err != nil {
			return "", fmt.Errorf("prometheus returned a malformed scalar: %w", err)
		}
	case "vector":
		var samples []sample
		if err := json.Unmarshal(r.Data.Result, &samples); err != nil {
			return "", fmt.Errorf("prometheus returned a malformed vector: %w", err)
		}
		if len(samples) == 0 {
			return "", &NoDataError{query}
		}
		if len(samples) > 1 {
			return "", fmt.Errorf("prometheus returned %d series instead of one for %s", len(samples), query)
		}
		value = samples[0].Value
	default:
		return "", fmt.Errorf("prometheus returned type %q instead of a vector", r.Data.ResultType)
	}
	var text string
	if err := json.Unmarshal(value[1], &text); err != nil {
		return "", fmt.Errorf("prometheus returned a value that is not a string: %w", err)
	}
	return text, nil
}

// query sends the query by POST, because it may be too long for a URL.
func (p Prometheus) query(ctx context.Context, query string) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	body := strings.NewReader(url.Values{"query": {query}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(p.URL, "/")+"/api/v1/query", body)
	if err != nil {
		return response{}, &rejectedError{"invalid address of Prometheus: " + withoutAddress(err).Error()}
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
		return response{}, fmt.Errorf("prometheus at %s cannot be reached: %w", req.URL.Host, withoutAddress(err))
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return response{}, fmt.Errorf("the response of prometheus at %s ended early: %w", req.URL.Host, err)
	}
	return parse(resp.StatusCode, text)
}

// withoutAddress removes the address, which may contain a password.
func withoutAddress(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// parse parses a response. Prometheus sends JSON with its errors; a proxy may send anything.
func parse(status int, text []byte) (response, error) {
	var r response
	err := json.Unmarshal(text, &r)
	if err == nil && status == http.StatusOK && r.Status == "success" {
		return r, nil
	}
	reason := r.Error
	if reason == "" {
		reason = beginning(text)
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return response{}, &rejectedError{fmt.Sprintf("prometheus rejected the query with %d: PROMETHEUS_TOKEN is missing or wrong", status)}
	case status == http.StatusBadRequest || status == http.StatusNotFound || status == http.StatusUnprocessableEntity:
		return response{}, &rejectedError{fmt.Sprintf("prometheus rejected the query with %d: %s", status, reason)}
	case status == http.StatusOK && err != nil:
		return response{}, fmt.Errorf("the response is not from the API of prometheus: %s", reason)
	}
	return response{}, fmt.Errorf("prometheus responded with %d: %s", status, reason)
}

// beginning returns the beginning of a response on one line.
func beginning(text []byte) string {
	const enough = 200
	words := strings.Join(strings.Fields(string(text)), " ")
	if words == "" {
		return "(empty)"
	}
	if len(words) > enough {
		return strings.ToValidUTF8(words[:enough], "") + "…"
	}
	return words
}
