package httpserver

import (
	"testing"
	"unsafe"
)

// A larger struct takes 32 bytes more for each request.
func TestRequestStateFitsItsSizeClass(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(requestState{}); size != 320 {
		t.Errorf("requestState has %d bytes; the size class of Go's allocator is 320", size)
	}
}
