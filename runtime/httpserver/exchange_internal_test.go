package httpserver

import (
	"testing"
	"unsafe"
)

// One byte more is 32 bytes more for each request.
func TestAnExchangeFitsItsSizeClass(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(exchange{}); size != 320 {
		t.Errorf("an exchange has %d bytes, and Go's allocator a size of 320", size)
	}
}
