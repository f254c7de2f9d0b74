package exposition

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// recent is the maximum age of a metric's last sample. A day includes failures and nightly jobs.
const recent = 24 * time.Hour

// ErrNoServer means that the URL is not that of a Prometheus.
var ErrNoServer = errors.New("not the API of a Prometheus")

// Prometheus reads the metrics of the last day from the HTTP API of a Prometheus.
type Prometheus struct {
	Address string // base URL, without /api/v1
	// Get reads a page.
	Get func(ctx context.Context, address string) ([]byte, error)
}

// Names returns the names of all metrics.
func (p Prometheus) Names(ctx context.Context) ([]string, error) {
	return p.values(ctx, "label/__name__/values", "")
}

// Metrics returns all metrics, the detailed ones with labels and bounds. The error wraps
// [ErrNoServer] if the names cannot be read.
func (p Prometheus) Metrics(ctx context.Context, detailed []string) (Page, error) {
	names, err := p.Names(ctx)
	if err != nil {
		return Page{}, fmt.Errorf("%w: %w", ErrNoServer, err)
	}
	var out Page
	for _, name := range names {
		m := Metric{Metric: declared.Metric{Name: name}}
		if slices.Contains(detailed, name) {
			if m.Labels, err = p.values(ctx, "labels", name); err != nil {
				return Page{}, err
			}
		}
		out.Metrics = append(out.Metrics, m)
		base, isBucket := strings.CutSuffix(name, "_bucket")
		if !isBucket || !slices.Contains(detailed, base) {
			continue
		}
		if m, err = p.histogram(ctx, base); err != nil {
			return Page{}, err
		}
		out.Metrics = append(out.Metrics, m)
	}
	return out, nil
}

// Values returns the values of a label of a metric.
func (p Prometheus) Values(ctx context.Context, metric, label string) ([]string, error) {
	return p.values(ctx, "label/"+label+"/values", metric)
}

// Types returns the metrics for which all targets declare the same type and unit.
func (p Prometheus) Types(ctx context.Context, names []string) ([]Metric, error) {
	var metadata map[string][]struct {
		Type declared.Type
		Unit string
	}
	if err := p.data(ctx, "metadata", &metadata); err != nil {
		return nil, err
	}
	var out []Metric
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		all := slices.Compact(metadata[name]) // the help may differ
		if len(all) != 1 {
			continue
		}
		m := Metric{Metric: declared.Metric{Name: name, Type: all[0].Type, Unit: all[0].Unit}}
		// OpenMetrics omits _total in the names of counters.
		if counter := name + "_total"; m.Type == "counter" && slices.Contains(names, counter) {
			m.Name = counter
		}
		out = append(out, m)
	}
	return out, nil
}

func (p Prometheus) histogram(ctx context.Context, base string) (Metric, error) {
	m := Metric{Metric: declared.Metric{Name: base, Type: declared.Histogram}}
	labels, err := p.values(ctx, "labels", base+"_bucket")
	if err != nil {
		return m, err
	}
	m.Labels = slices.DeleteFunc(labels, func(l string) bool { return l == semconv.LabelLessOrEqual })
	bounds, err := p.values(ctx, "label/"+semconv.LabelLessOrEqual+"/values", base+"_bucket")
	for _, text := range bounds {
		if bound, err := strconv.ParseFloat(text, 64); err == nil && text != "+Inf" {
			m.Bounds = append(m.Bounds, bound)
		}
	}
	slices.Sort(m.Bounds)
	m.Bounds = slices.Compact(m.Bounds) // a bound may have two spellings
	return m, err
}

// values reads a list of names, for the series of a metric if it is not empty.
func (p Prometheus) values(ctx context.Context, path, metric string) ([]string, error) {
	path = fmt.Sprintf("%s?start=%d", path, time.Now().Add(-recent).Unix())
	if metric != "" {
		path += "&match[]=" + url.QueryEscape(metric)
	}
	var names []string
	err := p.data(ctx, path, &names)
	return slices.DeleteFunc(names, func(name string) bool { return name == model.MetricNameLabel }), err
}

// data decodes the data of a response.
func (p Prometheus) data(ctx context.Context, path string, into any) error {
	address := strings.TrimRight(p.Address, "/") + "/api/v1/" + path
	page, err := p.Get(ctx, address)
	if err != nil {
		return err
	}
	response := struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   any    `json:"data"`
	}{Data: into}
	if err := json.Unmarshal(page, &response); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	if response.Status != "success" {
		return fmt.Errorf("%s: status %q %s", address, response.Status, response.Error)
	}
	return nil
}
