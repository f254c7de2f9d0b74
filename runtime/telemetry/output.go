package telemetry

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Limits of log lines on standard output.
const (
	// linesHeld is the maximum number of bytes that wait while the reader is blocked. A pipe
	// holds 64 KiB on Linux; 1 MiB holds about 4,000 more access lines.
	linesHeld = 1 << 20
	// linesWait is the maximum time that a write waits for the reader before the start and during
	// the exit.
	linesWait = time.Second
)

// lineWriter decouples the service from its standard output. A full pipe blocks the writer; here
// only one goroutine blocks, and no request.
//
// While the service runs, Write only copies. Before and after (see patient) Write also waits
// until the line is written, for at most linesWait, so that the last lines of a process are not
// lost, and a blocked output does not delay start or exit for long.
//
// The goroutine runs while there are lines to write. It is safe for concurrent use.
type lineWriter struct {
	out      io.Writer
	drop     func(reason string, n int)
	onMissed func(missed int) // called when writes succeed again
	drain    func()           // write, as a value, so that starting it does not allocate

	mu      sync.Mutex
	waiting []byte // whole lines, up to linesHeld bytes or one line
	lines   int    // in waiting
	spare   []byte // swapped with waiting
	missed  int    // lines dropped since the last written one
	writing bool
	patient bool
	blocked bool          // a wait timed out, and nothing was written since
	idle    chan struct{} // closed when everything is written; nil if nobody waits
}

func newLineWriter(out io.Writer, drop func(reason string, n int), onMissed func(missed int)) *lineWriter {
	w := &lineWriter{out: out, drop: drop, onMissed: onMissed, patient: true}
	w.drain = w.write
	return w
}

// Write implements [io.Writer] for one whole line. It never fails: dropped lines are counted.
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

// flush waits until all lines are written, for at most linesWait.
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
	return fmt.Errorf("standard output is blocked; %d log lines are not written", w.lines)
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

func (w *lineWriter) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(semconv.DropBlocked, w.lines)
	w.waiting, w.lines = nil, 0
}

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
		w.onMissed(missed)
	}
}

// next returns all waiting lines. If there are none, it marks the goroutine as done and wakes
// those who wait for that.
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

// recycle keeps the buffer for later lines, unless a long line made it too large.
func (w *lineWriter) recycle(block []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blocked = false
	if cap(block) <= 2*linesHeld {
		w.spare = block[:0]
	}
}

// missing returns the number of lines dropped since its last call.
func (w *lineWriter) missing() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	missed := w.missed
	w.missed = 0
	return missed
}
