package telemetry

import (
	"context"
	"sync"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Limits of a batcher. Queue, batch and period are the defaults of the OpenTelemetry
// specification for batch processors. The export timeout is shorter than its 30 s, because it
// limits what a hanging collector holds.
const (
	queueSize     = 2048
	batchSize     = 512
	batchPeriod   = 5 * time.Second
	exportTimeout = 10 * time.Second
	// settle is the time to count drops after the deadline of a flush.
	settle = 100 * time.Millisecond
)

// batcher passes items to a slow export function and never blocks: if the queue is full, it drops
// and counts items. The batch processors of the SDK drop silently.
//
// It accepts items before start, and is safe for concurrent use.
type batcher[T any] struct {
	queue  chan T
	export func(context.Context, []T) error
	drop   func(reason string, n int)
	period time.Duration

	// cancel ends the context of an export in flight when shutdown runs out of time. It does
	// nothing before start.
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

// add never blocks.
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
		b.abandon() // the queue was closed meanwhile
	default:
	}
}

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

// flush exports all queued items, or returns when the context ends.
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

// shutdown exports queued items until the context ends, and counts the rest as dropped. It
// returns a moment after the context ends, even if an export hangs.
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
	// An export that respects its context ends now, and its items are counted.
	b.cancel()
	select {
	case <-b.done:
	case <-time.After(settle):
		b.abandon()
	}
	return ctx.Err()
}

// run exports until shutdown. The context is the parent of all exports until then, and ends with
// the goroutine.
func (b *batcher[T]) run(running context.Context, cancel context.CancelFunc) {
	defer cancel()
	defer b.abandon() // items added between the last read and the close
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

// drain sends all queued items, or drops them after the context ended.
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
