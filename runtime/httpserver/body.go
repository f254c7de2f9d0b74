package httpserver

import (
	"errors"
	"net/http"
)

// requestBody counts what the handler reads and refuses what is over the limit.
type requestBody struct{ x *exchange }

// Read implements [io.Reader].
func (b requestBody) Read(p []byte) (int, error) {
	x := b.x
	limit := x.observer.config.BodyLimit
	if room := limit - x.bodySize.Load(); int64(len(p)) > room && !x.bounded {
		// Only net/http's own reader can make it close the connection of a sender
		// that would go on and on, so the end of the room is left to it. It wants
		// the writer as net/http made it.
		x.bounded = true
		x.body = http.MaxBytesReader(x.recorder.ResponseWriter, x.body, room)
	}
	n, err := x.body.Read(p)
	x.bodySize.Add(int64(n))
	if err != nil && x.bounded {
		err = withLimit(err, limit)
	}
	return n, bodyError(err)
}

// withLimit names the whole limit where net/http knows the rest of it.
func withLimit(err error, limit int64) error {
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return &http.MaxBytesError{Limit: limit}
	}
	return err
}

// Close implements [io.Closer].
func (b requestBody) Close() error { return b.x.body.Close() }
