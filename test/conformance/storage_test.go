package conformance

import (
	"context"
	"errors"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// adaptor makes our store a storage.Storage of Prometheus.
type adaptor struct{ *metricstore.Store }

var _ storage.Storage = adaptor{}

var errNotSupported = errors.New("the store has no chunks and no appender of version 1")

// ChunkQuerier, Appender, AppenderV2, StartTime and Close implement [storage.Storage].
func (adaptor) ChunkQuerier(_, _ int64) (storage.ChunkQuerier, error) { return nil, errNotSupported }
func (adaptor) Appender(context.Context) storage.Appender             { panic(errNotSupported) }
func (a adaptor) AppenderV2(context.Context) storage.AppenderV2       { return appender(a) }
func (adaptor) StartTime() (int64, error)                             { return 0, nil }
func (adaptor) Close() error                                          { return nil }

// appender writes immediately: scripts and rules never roll back.
type appender struct{ *metricstore.Store }

func (a appender) Append(_ storage.SeriesRef, l labels.Labels, _, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, _ storage.AppendV2Options) (storage.SeriesRef, error) {
	switch {
	case h != nil:
		return 0, a.AppendHistogram(l, t, h.ToFloat(nil))
	case fh != nil:
		return 0, a.AppendHistogram(l, t, fh)
	}
	return 0, a.Store.Append(l, t, v)
}

func (appender) Commit() error   { return nil }
func (appender) Rollback() error { return nil }
