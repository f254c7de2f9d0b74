package metricstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

// The accepted formats in order of preference: only protobuf has native histograms, and only protobuf and
// OpenMetrics have exemplars.
const accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7," +
	"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6," +
	"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1"

// read fetches and parses the page. The samples have the labels that the page exposes.
func (t Target) read(ctx context.Context) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	body, contentType, err := t.fetch(ctx)
	if err != nil {
		return page{}, fmt.Errorf("scrape of %s: %w", t.redacted(), err)
	}
	samples, err := t.parse(body, contentType)
	if err != nil {
		return page{bytes: len(body)}, fmt.Errorf("scrape of %s: %w", t.redacted(), err)
	}
	return page{samples: samples, bytes: len(body)}, nil
}

// redacted returns the URL without the password.
func (t Target) redacted() string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return strconv.Quote(t.URL)
	}
	return u.Redacted()
}

func (t Target) fetch(ctx context.Context) (body []byte, contentType string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL, http.NoBody)
	if err != nil {
		return nil, "", fmt.Errorf("the address is not one: %w; write it as http://host:port/metrics", err)
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("Accept-Encoding", "identity") // compression costs more than it saves on loopback
	req.Header.Set("User-Agent", "scaffold")
	req.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", strconv.FormatFloat(t.Timeout.Seconds(), 'f', -1, 64))
	resp, err := t.Client.Do(req)
	if err != nil {
		return nil, "", t.unanswered(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read from
	if resp.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("the answer is %s, not 200 OK; see the log of what listens there, or correct the path", resp.Status)
	}
	contentType = resp.Header.Get("Content-Type")
	if err := mustBeMetrics(contentType); err != nil {
		return nil, "", err
	}
	body, err = t.readAll(resp)
	return body, contentType, err
}

// unanswered adds advice to the error of a request without a response.
func (t Target) unanswered(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL, which may contain a password
	}
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens there: %w; start the service, or correct the port", err)
	case isNet && timeout.Timeout():
		return fmt.Errorf("no whole answer within %s: %w; look for what blocks the service, or allow more time", t.Timeout, err)
	}
	return fmt.Errorf("no answer: %w; correct the address, or start the service", err)
}

// mustBeMetrics rejects other pages, whose first line would give a confusing parse error.
func mustBeMetrics(contentType string) error {
	media, params, err := mime.ParseMediaType(contentType)
	if err == nil {
		switch media {
		case "text/plain":
			return nil
		case "application/openmetrics-text":
			if !strings.HasPrefix(params["version"], "2.") {
				return nil
			}
		case "application/vnd.google.protobuf":
			if params["proto"] == "io.prometheus.client.MetricFamily" && params["encoding"] == "delimited" {
				return nil
			}
		}
	}
	return fmt.Errorf("the page has the content type %q, which is none of metrics; another program listens there, or the path is not that of the metrics", contentType)
}

func (t Target) readAll(resp *http.Response) ([]byte, error) {
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, fmt.Errorf("the page is compressed with %q, although no compression was accepted; correct what serves it", encoding)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, t.MaxBytes+1))
	if err != nil {
		return nil, t.unanswered(err)
	}
	if int64(len(body)) > t.MaxBytes {
		return nil, fmt.Errorf("the page has more than %d bytes; drop the labels with the most values, or raise the limit of the scrape", t.MaxBytes)
	}
	return body, nil
}
