package httpserver

import (
	"io"
	"math"
	"os"
	"time"
)

// writeChunk is the maximum size of a write, so that a write blocks only while the client reads
// nothing. A client that reads this much within cutAfter is never cut.
const writeChunk = 64 << 10

// http2Chunk is writeChunk over HTTP/2. Streams take turns, and this is the maximum that a stream
// sends in one turn (SETTINGS_MAX_FRAME_SIZE, RFC 9113, section 6.5.2).
const http2Chunk = 16 << 10

// inChunks writes data in chunks of writeChunk or http2Chunk. Empty data is one chunk.
func inChunks[T string | []byte](r *recorder, data T, write func(T) (int, error)) (written int, err error) {
	var second time.Time
	chunk := writeChunk
	if r.state.request.ProtoMajor == 2 {
		chunk = http2Chunk
	}
	for {
		part := data[written:min(written+chunk, len(data))]
		n, err := write(part)
		written += n
		if err != nil || n < len(part) || written >= len(data) {
			return written, err
		}
		second = r.nextPart(second)
	}
}

// nextPart is called between two chunks of a long write, and returns the start of the second
// chunk. Even if the client reads steadily, the request waits for the client, so it releases its
// slot.
func (r *recorder) nextPart(second time.Time) time.Time {
	if second.IsZero() {
		return time.Now()
	}
	if time.Since(second) >= blockedAfter {
		r.releaseSlot()
	}
	return second
}

// readFile copies a file in chunks of writeChunk. The kernel copies from an [io.LimitedReader]
// only if it reads a file directly.
func (r http1Recorder) readFile(src io.Reader) (written int64, err error) {
	limited, ok := src.(*io.LimitedReader)
	if !ok {
		limited = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	part := &io.LimitedReader{R: limited.R}
	var second time.Time
	for limited.N > 0 {
		size := min(limited.N, writeChunk)
		part.N = size
		r.watch(writeBuffer + 1)
		n, err := r.ResponseWriter.(io.ReaderFrom).ReadFrom(part)
		r.written(n, err)
		written += n
		limited.N -= n
		if err != nil || n < size {
			return written, err
		}
		second = r.nextPart(second)
	}
	return written, nil
}

// isFile reports whether the kernel can copy from src: a file, or a part of one as in
// [http.ServeContent].
func isFile(src io.Reader) bool {
	if limited, ok := src.(*io.LimitedReader); ok {
		src = limited.R
	}
	_, file := src.(*os.File)
	return file
}
