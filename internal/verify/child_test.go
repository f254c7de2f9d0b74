package verify

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A connection that breaks before the exit status is there is no other verdict
// than one that breaks after it.
func TestABrokenConnectionWaitsForTheExitStatus(t *testing.T) {
	t.Parallel()
	broken := &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}
	for _, err := range []error{broken, fmt.Errorf("no answer: %w", io.EOF), io.ErrUnexpectedEOF} {
		c := &child{cmd: exec.Command("ended"), exited: make(chan struct{})}
		time.AfterFunc(50*time.Millisecond, func() { close(c.exited) })
		if got := c.reasonOf(t.Context(), err); got == nil || !strings.HasPrefix(got.Error(), "the service ended with") {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// An answer that is wrong is the verdict at once: the service that gave it runs.
func TestAWrongAnswerWaitsForNothing(t *testing.T) {
	t.Parallel()
	c := &child{cmd: exec.Command("runs"), exited: make(chan struct{})}
	began := time.Now()
	if got := c.reasonOf(t.Context(), http.ErrNotSupported); !errors.Is(got, http.ErrNotSupported) {
		t.Errorf("got %v", got)
	}
	if took := time.Since(began); took >= dyingWithin {
		t.Errorf("it took %s", took)
	}
}
