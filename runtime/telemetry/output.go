package telemetry

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Bounds of the log lines on standard output.
const (
	// linesHeld is how many bytes wait for a reader that has stopped. A pipe
	// holds 64 KiB on Linux; a MiB is some 4,000 access lines more.
	linesHeld = 1 << 20
	// linesWait is the longest that a line waits for its reader while the
	// service is not running: before the start and at the exit.
	linesWait = time.Second
)

// lineWriter stands between the service and its standard output. A pipe that
// nobody reads blocks whoever writes to it; here that is one goroutine and no
// request.
//
// While the service runs, Write only copies. Before that and after it (see
// patient) Write also waits for the line to be out, but not for longer than
// linesWait, so that the last words of a process are not lost and a blocked
// output holds up neither start nor exit.
//
// The goroutine lives while there are lines to write. It is safe for concurrent
// use.
type lineWriter struct {
	out   io.Writer
	drop  func(reason string, n int)
	tell  func(missed int) // called when lines can be written again
	drain func()           // write, as a value, so that starting it allocates nothing

	mu      sync.Mutex
	waiting []byte // whole lines, at most linesHeld bytes or one line
	lines   int    // in waiting
	spare   []byte // takes turns with waiting
	missed  int    // lines dropped since the last one was written
	writing bool
	patient bool
	blocked bool          // somebody waited in vain, and nothing was finished since
	idle    chan struct{} // closed when everything is written; nil unless somebody waits
}

func newLineWriter(out io.Writer, drop func(reason string, n int), tell func(missed int)) *lineWriter {
	w := &lineWriter{out: out, drop: drop, tell: tell, patient: true}
	w.drain = w.write
	return w
}

// Write implements [io.Writer] for one whole line. It never fails: what cannot
// be written is counted.
func (w *lineWriter) Write(line []byte) (int, error) {
	if w.take(line) && w.waits() {
		_ = w.flush(context.Background())
	}
	return len(line), nil
}

// take copies the line, or counts it as dropped.
func (w *lineWriter) take(line []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) > 0 && len(w.waiting)+len(line) > linesHeld {
		w.missed++
		w.drop(semconv.DropBlocked, 1)
		return false
	}
	w.waiting = append(w.waiting, line...)
	w.lines++
	if !w.writing {
		w.writing = true
		go w.drain()
	}
	return true
}

func (w *lineWriter) waits() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.patient && !w.blocked
}

func (w *lineWriter) setPatient(patient bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.patient = patient
}

// flush waits until every line is out, at most linesWait.
func (w *lineWriter) flush(ctx context.Context) error {
	idle := w.whenIdle()
	ctx, cancel := context.WithTimeout(ctx, linesWait)
	defer cancel()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.writing {
		return nil
	}
	w.blocked = true
	return fmt.Errorf("standard output is blocked; %d log lines wait for its reader", w.lines)
}

func (w *lineWriter) whenIdle() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.writing {
		idle := make(chan struct{})
		close(idle)
		return idle
	}
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	return w.idle
}

// abandon counts the lines that nobody will read any more.
func (w *lineWriter) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(semconv.DropBlocked, w.lines)
	w.waiting, w.lines = nil, 0
}

// write hands out lines until none is left.
func (w *lineWriter) write() {
	for {
		block, lines := w.next()
		if lines == 0 {
			break
		}
		if _, err := w.out.Write(block); err != nil {
			w.drop(semconv.DropExportFailed, lines)
		}
		w.recycle(block)
	}
	if missed := w.missing(); missed > 0 {
		w.tell(missed)
	}
}

// next takes everything that waits. Without anything it says that the goroutine
// is done and lets those go who waited for that.
func (w *lineWriter) next() (block []byte, lines int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lines == 0 {
		w.writing = false
		if w.idle != nil {
			close(w.idle)
			w.idle = nil
		}
		return nil, 0
	}
	block, lines = w.waiting, w.lines
	w.waiting, w.lines, w.spare = w.spare, 0, nil
	return block, lines
}

// recycle keeps the block for later lines, unless one huge line made it huge.
func (w *lineWriter) recycle(block []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blocked = false
	if cap(block) <= 2*linesHeld {
		w.spare = block[:0]
	}
}

// missing returns how many lines were dropped since it was last called.
func (w *lineWriter) missing() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	missed := w.missed
	w.missed = 0
	return missed
}
