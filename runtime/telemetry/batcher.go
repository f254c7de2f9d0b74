package telemetry

import (
	"context"
	"sync"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Bounds of a batcher. Queue, batch and period are the defaults that the
// OpenTelemetry specification gives for batch processors; the export timeout is
// shorter than its 30 s, because it bounds what a hanging collector holds.
const (
	queueSize     = 2048
	batchSize     = 512
	batchPeriod   = 5 * time.Second
	exportTimeout = 10 * time.Second
	// settle is what counting gets after the time for a flush is over.
	settle = 100 * time.Millisecond
)

// batcher hands items to a slow export function without ever making the giver
// wait: a full queue drops and counts. The SDK's own batch processors drop
// silently, which is why this exists.
//
// It starts nothing until start, may be given items before that, and is safe
// for concurrent use.
type batcher[T any] struct {
	queue  chan T
	export func(context.Context, []T) error
	drop   func(reason string, n int)
	period time.Duration

	// cancel ends the context of an export that is in flight when shutdown runs
	// out of time. start sets it; before that it does nothing.
	cancel context.CancelFunc

	startOnce sync.Once
	stopOnce  sync.Once
	flushes   chan chan struct{}
	stop      chan context.Context
	done      chan struct{}
}

func newBatcher[T any](period time.Duration, export func(context.Context, []T) error, drop func(string, int)) *batcher[T] {
	return &batcher[T]{
		cancel:  func() {},
		queue:   make(chan T, queueSize),
		export:  export,
		drop:    drop,
		period:  period,
		flushes: make(chan chan struct{}),
		stop:    make(chan context.Context, 1),
		done:    make(chan struct{}),
	}
}

// add never waits.
func (b *batcher[T]) add(item T) {
	select {
	case <-b.done:
		b.drop(semconv.DropShutdown, 1)
		return
	default:
	}
	select {
	case b.queue <- item:
	default:
		b.drop(semconv.DropQueueFull, 1)
		return
	}
	select {
	case <-b.done:
		b.abandon() // the queue was closed while the item went in
	default:
	}
}

// abandon counts what is queued and will never be sent.
func (b *batcher[T]) abandon() {
	for {
		select {
		case <-b.queue:
			b.drop(semconv.DropShutdown, 1)
		default:
			return
		}
	}
}

func (b *batcher[T]) start() {
	b.startOnce.Do(func() {
		running, cancel := context.WithCancel(context.Background())
		b.cancel = cancel
		go b.run(running, cancel)
	})
}

// flush exports what is queued now, or returns when the context ends.
func (b *batcher[T]) flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case b.flushes <- done:
	case <-b.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shutdown exports what is queued within the context and counts the rest as
// dropped. It returns a moment after the context ends even if an export hangs.
func (b *batcher[T]) shutdown(ctx context.Context) error {
	started := true
	b.startOnce.Do(func() { started = false })
	if !started {
		b.stopOnce.Do(func() { close(b.done) })
		b.abandon()
		return nil
	}
	b.stopOnce.Do(func() { b.stop <- ctx })
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
	}
	// An export that heeds its context ends now, and what it lost is counted.
	b.cancel()
	select {
	case <-b.done:
	case <-time.After(settle):
		b.abandon()
	}
	return ctx.Err()
}

// run exports until shutdown. The context is the parent of all exports before
// that, and ends with the goroutine.
func (b *batcher[T]) run(running context.Context, cancel context.CancelFunc) {
	defer cancel()
	defer b.abandon() // what came in between the last look and the close
	defer close(b.done)
	batch := make([]T, 0, batchSize)
	ticker := time.NewTicker(b.period)
	defer ticker.Stop()
	for {
		select {
		case item := <-b.queue:
			if batch = append(batch, item); len(batch) == batchSize {
				batch = b.send(running, batch)
			}
		case <-ticker.C:
			batch = b.send(running, batch)
		case done := <-b.flushes:
			batch = b.drain(running, batch)
			close(done)
		case ctx := <-b.stop:
			b.drain(ctx, batch)
			return
		}
	}
}

// drain sends everything that is queued, or drops it once the context ended.
func (b *batcher[T]) drain(ctx context.Context, batch []T) []T {
	for {
		select {
		case item := <-b.queue:
			if batch = append(batch, item); len(batch) == batchSize {
				batch = b.send(ctx, batch)
			}
		default:
			return b.send(ctx, batch)
		}
	}
}

func (b *batcher[T]) send(ctx context.Context, batch []T) []T {
	if len(batch) == 0 {
		return batch
	}
	if ctx.Err() != nil {
		b.drop(semconv.DropShutdown, len(batch))
		return batch[:0]
	}
	ctx, cancel := context.WithTimeout(ctx, exportTimeout)
	defer cancel()
	if err := b.export(ctx, batch); err != nil {
		b.drop(undelivered(err, len(batch)))
	}
	clear(batch)
	return batch[:0]
}
