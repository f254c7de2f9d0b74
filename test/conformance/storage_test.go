package conformance

import (
	"context"
	"errors"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// adaptor lets what is written for the database of Prometheus use our store.
type adaptor struct{ *metricstore.Store }

var _ storage.Storage = adaptor{}

var errNotOffered = errors.New("the store offers no chunks and no appender of the first version")

// ChunkQuerier, Appender, AppenderV2, StartTime and Close complete
// storage.Storage.
func (adaptor) ChunkQuerier(_, _ int64) (storage.ChunkQuerier, error) { return nil, errNotOffered }
func (adaptor) Appender(context.Context) storage.Appender             { panic(errNotOffered) }
func (a adaptor) AppenderV2(context.Context) storage.AppenderV2       { return appender(a) }
func (adaptor) StartTime() (int64, error)                             { return 0, nil }
func (adaptor) Close() error                                          { return nil }

// appender writes at once: scripts and rules never roll back.
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
