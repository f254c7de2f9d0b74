package telemetry

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (d *tally) drop(reason string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == nil {
		d.n = map[string]int{}
	}
	d.n[reason] += n
}

func (d *tally) counts() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.n)
}

func TestBatcherSendsAfterItsPeriod(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []int
		b := newBatcher(time.Second, func(_ context.Context, items []int) error {
			got = append(got, items...)
			return nil
		}, (&tally{}).drop)
		b.start()
		b.add(1)
		b.add(2)
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if len(got) != 2 {
			t.Errorf("after a period %v arrived, want two items", got)
		}
		if err := b.shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestBatcherSendsFullBatchesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var batches []int
		b := newBatcher(time.Hour, func(_ context.Context, items []int) error {
			batches = append(batches, len(items))
			return nil
		}, (&tally{}).drop)
		b.start()
		for i := range batchSize + 1 {
			b.add(i)
		}
		synctest.Wait()
		if len(batches) != 1 || batches[0] != batchSize {
			t.Errorf("sent %v, want one full batch", batches)
		}
		if err := b.flush(t.Context()); err != nil || len(batches) != 2 || batches[1] != 1 {
			t.Errorf("flush: %v, sent %v", err, batches)
		}
		if err := b.shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// add never blocks, and every item is either sent or counted.
func TestBatcherCountsEveryDrop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d tally
		sent := 0
		b := newBatcher(time.Second, func(ctx context.Context, items []int) error {
			<-ctx.Done() // a collector that accepts and hangs
			return ctx.Err()
		}, d.drop)
		b.start()
		const added = 3 * queueSize
		began := time.Now()
		for i := range added {
			b.add(i)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("add took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := b.shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown of a hanging exporter: %v", err)
		}
		synctest.Wait()
		total := sent
		for _, n := range d.counts() {
			total += n
		}
		if total != added || d.counts()[semconv.DropQueueFull] == 0 || d.counts()[semconv.DropExportFailed] == 0 || d.counts()[semconv.DropShutdown] == 0 {
			t.Errorf("%d added, %v accounted for", added, d.counts())
		}
		b.add(1)
		if got := d.counts()[semconv.DropShutdown]; got == 0 {
			t.Error("an item after shutdown is not counted")
		}
	})
}

func TestBatcherExportIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d tally
		var took time.Duration
		b := newBatcher(time.Second, func(ctx context.Context, _ []int) error {
			began := time.Now()
			<-ctx.Done()
			took = time.Since(began)
			return ctx.Err()
		}, d.drop)
		b.start()
		b.add(1)
		time.Sleep(time.Minute)
		synctest.Wait()
		if took != exportTimeout || d.counts()[semconv.DropExportFailed] != 1 {
			t.Errorf("an export took %s, drops %v", took, d.counts())
		}
		if err := b.shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestBatcherThatNeverStarted(t *testing.T) {
	t.Parallel()
	var d tally
	b := newBatcher(time.Second, func(context.Context, []int) error { return nil }, d.drop)
	b.add(1)
	if err := b.shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if got := d.counts(); got[semconv.DropShutdown] != 1 {
		t.Errorf("one item was never sent, drops %v", got)
	}
}

// An export that ignores its context delays nothing: queued items are counted a moment after the
// deadline.
func TestBatcherExportThatIgnoresItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d tally
		hangs := make(chan struct{})
		b := newBatcher(time.Second, func(context.Context, []int) error { <-hangs; return nil }, d.drop)
		b.start()
		const added = batchSize + 10
		for i := range added {
			b.add(i)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		err := b.shutdown(ctx)
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 2*time.Second+settle {
			t.Errorf("shutdown took %s: %v", took, err)
		}
		if got := d.counts()[semconv.DropShutdown]; got != added-batchSize {
			t.Errorf("%d wait behind the export, drops %v", added-batchSize, d.counts())
		}
		close(hangs)
	})
}

// Items added during the shutdown are sent or counted.
func TestBatcherLosesNothingAtShutdown(t *testing.T) {
	t.Parallel()
	for range 200 {
		var d tally
		var sent atomic.Int64
		b := newBatcher(time.Second, func(_ context.Context, items []int) error {
			sent.Add(int64(len(items)))
			return nil
		}, d.drop)
		b.start()
		const added = 64
		var adders sync.WaitGroup
		for range 4 {
			adders.Go(func() {
				for i := range added / 4 {
					b.add(i)
				}
			})
		}
		if err := b.shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		adders.Wait()
		if got := int(sent.Load()) + d.counts()[semconv.DropShutdown]; got != added {
			t.Fatalf("%d added, %d accounted for: %v", added, got, d.counts())
		}
	}
}
