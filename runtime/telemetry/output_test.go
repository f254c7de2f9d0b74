package telemetry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// reader is the other end of standard output. While it is stopped, writes block, as with a full
// pipe.
type reader struct {
	mu      sync.Mutex
	stopped chan struct{} // nil while it reads
	got     bytes.Buffer
}

func (r *reader) Write(b []byte) (int, error) {
	r.mu.Lock()
	stopped := r.stopped
	r.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.Write(b)
}

func (r *reader) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = make(chan struct{})
}

func (r *reader) goOn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.stopped)
	r.stopped = nil
}

func (r *reader) lines() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Count(r.got.Bytes(), []byte("\n"))
}

// running returns a writer between start and shutdown.
func running(out io.Writer, d *tally, onMissed func(int)) *lineWriter {
	w := newLineWriter(out, d.drop, onMissed)
	w.setPatient(false)
	return w
}

func write(t *testing.T, w io.Writer, lines int, line string) {
	t.Helper()
	for range lines {
		if n, err := io.WriteString(w, line); n != len(line) || err != nil {
			t.Fatalf("wrote %d of %d bytes: %v", n, len(line), err)
		}
	}
}

func TestBlockedOutputDelaysNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d tally
		var out reader
		reported := 0
		w := running(&out, &d, func(missed int) { reported = missed })
		out.stop()
		line := strings.Repeat("x", 1023) + "\n"
		const lines = 3 * linesHeld / 1024
		began := time.Now()
		write(t, w, 1, line)
		synctest.Wait() // the first line is in the blocked write
		write(t, w, lines-1, line)
		if took := time.Since(began); took != 0 {
			t.Errorf("writing took %s", took)
		}
		const dropped = lines - 1 - linesHeld/1024
		if got := d.counts()[semconv.DropBlocked]; got != dropped {
			t.Errorf("%d lines dropped, want %d", got, dropped)
		}
		if cap(w.waiting) > 2*linesHeld {
			t.Errorf("the buffer grew to %d bytes", cap(w.waiting))
		}
		out.goOn()
		synctest.Wait()
		if got := out.lines(); got != lines-dropped || reported != dropped {
			t.Errorf("%d lines written and %d reported as dropped, want %d and %d", got, reported, lines-dropped, dropped)
		}
		write(t, w, 1, line)
		synctest.Wait()
		if got := out.lines(); got != lines-dropped+1 {
			t.Errorf("%d lines after the reader continued, want one more", got)
		}
	})
}

// Before the start and during the exit, a line waits for its reader once.
func TestWaitingForTheReaderIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d tally
		var out reader
		w := newLineWriter(&out, d.drop, func(int) {})
		write(t, w, 1, "alive\n")
		if out.lines() != 1 {
			t.Error("a line was not written when Write returned")
		}
		out.stop()
		began := time.Now()
		write(t, w, 100, "blocked\n")
		if took := time.Since(began); took != linesWait {
			t.Errorf("100 lines took %s, want %s in total", took, linesWait)
		}
		out.goOn()
		synctest.Wait()
		if out.lines() != 101 || len(d.counts()) != 0 {
			t.Errorf("%d lines arrived, drops %v", out.lines(), d.counts())
		}
		out.stop()
		began = time.Now()
		write(t, w, 1, "blocked again\n")
		if took := time.Since(began); took != linesWait {
			t.Errorf("the next blocked write took %s, want %s", took, linesWait)
		}
		out.goOn()
	})
}

func TestFlushOfLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d tally
		var out reader
		w := running(&out, &d, func(int) {})
		write(t, w, 1000, "line\n")
		if err := w.flush(t.Context()); err != nil || out.lines() != 1000 {
			t.Errorf("%d lines were written after a flush: %v", out.lines(), err)
		}
		out.stop()
		write(t, w, 1, "in the blocked write\n")
		synctest.Wait()
		write(t, w, 10, "waiting\n")
		began := time.Now()
		err := w.flush(t.Context())
		if took := time.Since(began); took != linesWait || err == nil || !strings.Contains(err.Error(), "10 log lines") {
			t.Errorf("a flush of a blocked output took %s: %v", took, err)
		}
		w.abandon()
		if got := d.counts()[semconv.DropBlocked]; got != 10 {
			t.Errorf("10 lines were dropped, drops %v", d.counts())
		}
		out.goOn()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		synctest.Wait()
		if err := w.flush(ended); err != nil {
			t.Errorf("flush without lines: %v", err)
		}
	})
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestLinesIntoABrokenPipeAreCounted(t *testing.T) {
	t.Parallel()
	var d tally
	write(t, newLineWriter(brokenPipe{}, d.drop, func(int) {}), 3, "line\n")
	if got := d.counts()[semconv.DropExportFailed]; got != 3 {
		t.Errorf("3 lines were dropped, drops %v", d.counts())
	}
}

// A line larger than the buffer is written, and the buffer shrinks again.
func TestAHugeLine(t *testing.T) {
	t.Parallel()
	var d tally
	var out bytes.Buffer
	w := newLineWriter(&out, d.drop, func(int) {})
	write(t, w, 1, strings.Repeat("x", 3*linesHeld)+"\n")
	write(t, w, 1, "small\n")
	if out.Len() != 3*linesHeld+1+len("small\n") || len(d.counts()) != 0 {
		t.Errorf("%d bytes written, drops %v", out.Len(), d.counts())
	}
	if cap(w.waiting)+cap(w.spare) > 2*linesHeld {
		t.Errorf("%d bytes are kept after a huge line", cap(w.waiting)+cap(w.spare))
	}
}

// A line costs no allocation, because every access line takes this path.
func TestALineAllocatesNothing(t *testing.T) { //nolint:paralleltest // counts the allocations of the whole process
	w := running(io.Discard, &tally{}, func(int) {})
	line := []byte(strings.Repeat("x", 300) + "\n")
	got := testing.AllocsPerRun(2000, func() { _, _ = w.Write(line) })
	if got > 0 {
		t.Errorf("%v allocations a line", got)
	}
}
