package httpserver

import (
	"io"
	"math"
	"os"
	"time"
)

// writeChunk is the most that is written at a time, so that a write blocks only as long
// as a client reads nothing. A client that reads as much within cutAfter is never cut.
const writeChunk = 64 << 10

// http2Chunk is writeChunk over HTTP/2, where streams take turns: the most that one of them
// sends in a turn, so that a write ends with each (SETTINGS_MAX_FRAME_SIZE, RFC 9113, 6.5.2).
const http2Chunk = 16 << 10

// inChunks writes data in parts of writeChunk or http2Chunk. No data is one part.
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

// nextPart notes that a part of a long write has ended and that another follows, and
// returns when the second one began. However steadily the client reads, the request waits
// for it and not for the service, and gives its place up.
func (r *recorder) nextPart(second time.Time) time.Time {
	if second.IsZero() {
		return time.Now()
	}
	if time.Since(second) >= blockedAfter {
		r.releaseSlot()
	}
	return second
}

// readFile copies a file in parts of writeChunk. The kernel copies from an
// [io.LimitedReader] directly on a file only.
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

// isFile reports a source that the kernel copies from: a file, or a part of one as
// [http.ServeContent] has it.
func isFile(src io.Reader) bool {
	if limited, ok := src.(*io.LimitedReader); ok {
		src = limited.R
	}
	_, file := src.(*os.File)
	return file
}
