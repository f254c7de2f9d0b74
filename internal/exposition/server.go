package exposition

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/templates"
)

// recent is how far back a metric may have had its last sample. It may be that of a
// failure, or of last night.
const recent = 24 * time.Hour

// ErrNoServer is an address that does not answer as a Prometheus does.
var ErrNoServer = errors.New("not the API of a Prometheus")

// Server reads the names of all metrics of a Prometheus, and the labels and bounds
// of some of them, from its HTTP API below an address. Get reads one page.
func Server(ctx context.Context, address string, metrics []string, get func(context.Context, string) ([]byte, error)) (templates.Signals, error) {
	s := server{strings.TrimRight(address, "/") + "/api/v1/", get}
	names, err := s.values(ctx, "label/__name__/values", "")
	if err != nil {
		return templates.Signals{}, fmt.Errorf("%w: %w", ErrNoServer, err)
	}
	var out templates.Signals
	for _, name := range names {
		m := templates.Metric{Name: name}
		if slices.Contains(metrics, name) {
			if m.Labels, err = s.values(ctx, "labels", name); err != nil {
				return templates.Signals{}, err
			}
		}
		out.Metrics = append(out.Metrics, m)
		base, isBucket := strings.CutSuffix(name, "_bucket")
		if !isBucket || !slices.Contains(metrics, base) {
			continue
		}
		if m, err = s.histogram(ctx, base); err != nil {
			return templates.Signals{}, err
		}
		out.Metrics = append(out.Metrics, m)
	}
	return out, nil
}

// Values are those that a label has on the series of a metric.
func Values(ctx context.Context, address, metric, label string, get func(context.Context, string) ([]byte, error)) ([]string, error) {
	return server{strings.TrimRight(address, "/") + "/api/v1/", get}.values(ctx, "label/"+label+"/values", metric)
}

type server struct {
	api string
	get func(context.Context, string) ([]byte, error)
}

func (s server) histogram(ctx context.Context, base string) (templates.Metric, error) {
	m := templates.Metric{Name: base, Type: "histogram"}
	labels, err := s.values(ctx, "labels", base+"_bucket")
	if err != nil {
		return m, err
	}
	m.Labels = slices.DeleteFunc(labels, func(l string) bool { return l == semconv.LabelLessOrEqual })
	bounds, err := s.values(ctx, "label/"+semconv.LabelLessOrEqual+"/values", base+"_bucket")
	for _, text := range bounds {
		if bound, err := strconv.ParseFloat(text, 64); err == nil && text != "+Inf" {
			m.Bounds = append(m.Bounds, bound)
		}
	}
	slices.Sort(m.Bounds)
	m.Bounds = slices.Compact(m.Bounds) // of two spellings
	return m, err
}

// values asks for a list of names, of the series of one metric.
func (s server) values(ctx context.Context, path, metric string) ([]string, error) {
	address := fmt.Sprintf("%s%s?start=%d", s.api, path, time.Now().Add(-recent).Unix())
	if metric != "" {
		address += "&match[]=" + url.QueryEscape(metric)
	}
	page, err := s.get(ctx, address)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status string   `json:"status"`
		Error  string   `json:"error"`
		Data   []string `json:"data"`
	}
	if err := json.Unmarshal(page, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("%s: status %q %s", address, answer.Status, answer.Error)
	}
	return slices.DeleteFunc(answer.Data, func(name string) bool { return name == model.MetricNameLabel }), nil
}
