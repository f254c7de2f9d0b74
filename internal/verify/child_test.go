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

// The verdict must be the same whether a connection breaks before or after the exit status is known.
func TestBrokenConnectionWaitsForTheExitStatus(t *testing.T) {
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

// An invalid response is an error immediately: the service still runs.
func TestInvalidResponseFailsImmediately(t *testing.T) {
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
