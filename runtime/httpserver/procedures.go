package httpserver

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Procedures declares procedures of connect-go by their path, such as
// "/shop.v1.CartService/AddItem". A router knows only the prefix of the service; each declared
// procedure is a separate route. The method is POST, unless one precedes the path.
//
// The outcome of a call depends on its error code where the HTTP status is always 200: in gRPC,
// gRPC-Web and the streams of connect.
func Procedures(paths ...string) Option { return declareAll(procedure, paths) }

// Streams declares procedures with a request or response stream, which gRPC requests do not
// reveal. Streams have no deadline and no latency, and do not count as requests in flight.
func Streams(paths ...string) Option { return declareAll(streamProcedure, paths) }

func declareAll(kind kind, paths []string) Option {
	return func(t *routeTable) error {
		var problems []error
		for _, p := range paths {
			method, path, found := strings.Cut(p, " ")
			if !found {
				method, path = http.MethodPost, p
			}
			if !isKnown(method) || !isProcedure(path) {
				problems = append(problems, fmt.Errorf("procedure %q: write the path of the call, as in %q", p, "/shop.v1.CartService/AddItem"))
				continue
			}
			t.declareProcedure(method, path, kind)
		}
		return errors.Join(problems...)
	}
}

func isProcedure(path string) bool {
	matched, err := regexp.MatchString(`^(/[A-Za-z0-9_.-]+)+/[A-Za-z0-9_]+$`, path)
	return matched && err == nil
}

// rpcCodes returns the codes of gRPC in their order, in the spelling of connect.
func rpcCodes() []string {
	return []string{
		"", "canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists", "permission_denied",
		"resource_exhausted", "failed_precondition", "aborted", "out_of_range", "unimplemented", "internal", "unavailable",
		"data_loss", "unauthenticated",
	}
}

// rpcOutcome returns the outcome of an error code. Server errors are those that the semantic
// conventions define for RPC server spans.
func rpcOutcome(code string) string {
	switch code {
	case "unknown", "deadline_exceeded", "unimplemented", "internal", "unavailable", "data_loss":
		return semconv.OutcomeServerError
	}
	return semconv.OutcomeClientError
}

const grpcStatus = "Grpc-Status"

// rpcCode returns the error code of a procedure, or "" for success and for other requests.
func (x *requestState) rpcCode(s *series) string {
	if s.kind < procedure {
		return ""
	}
	if f := x.recorder.frames; f != nil && f.ended {
		return f.code()
	}
	header := x.recorder.Header()
	for _, key := range []string{grpcStatus, http.TrailerPrefix + grpcStatus} {
		if status := first(header, key); status != "" {
			return codeOf(status)
		}
	}
	return ""
}

func codeOf(status string) string {
	codes := rpcCodes()
	n, err := strconv.Atoi(strings.TrimSpace(status))
	if err != nil || n < 0 || n >= len(codes) {
		return "unknown"
	}
	return codes[n]
}

// Flags in the head of a frame.
const (
	endOfConnect = 0x02
	endOfGRPCWeb = 0x80
	isCompressed = 0x01
)

// maxEnd limits the part of the last frame that is kept: a code, a message and some metadata.
const maxEnd = 8 << 10

// frames parses the frames of a response as they are written: five bytes of head and a message.
// It keeps the frame that ends the call.
type frames struct {
	endFlag byte
	head    [5]byte
	have    int   // received bytes of the head
	left    int64 // remaining bytes of the message

	ended bool // the frame that ends the call has begun
	end   []byte
}

// framesOf returns a parser for a response of the media type, or nil.
func framesOf(contentType string) *frames {
	switch {
	case strings.HasPrefix(contentType, connectStream):
		return &frames{endFlag: endOfConnect}
	case strings.HasPrefix(contentType, "application/grpc-web-text"):
		return nil // frames in base64; only the headers are read
	case strings.HasPrefix(contentType, "application/grpc-web"):
		return &frames{endFlag: endOfGRPCWeb}
	}
	return nil
}

func (f *frames) write(b []byte) {
	for len(b) > 0 {
		if f.left == 0 {
			n := copy(f.head[f.have:], b)
			f.have, b = f.have+n, b[n:]
			if f.have == len(f.head) {
				f.have, f.left = 0, int64(binary.BigEndian.Uint32(f.head[1:]))
				f.ended = f.ended || f.head[0]&f.endFlag != 0
			}
			continue
		}
		n := min(int64(len(b)), f.left)
		if f.ended {
			f.end = append(f.end, b[:min(n, int64(maxEnd-len(f.end)))]...)
		}
		f.left, b = f.left-n, b[n:]
	}
}

// code returns the error code of the last frame. An unreadable frame counts as unknown.
func (f *frames) code() string {
	message := f.end
	if f.head[0]&isCompressed != 0 {
		var err error
		if message, err = gunzip(message); err != nil {
			return "unknown"
		}
	}
	if f.endFlag == endOfGRPCWeb {
		return grpcWebCode(message)
	}
	var end struct {
		Error *struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	switch err := json.Unmarshal(message, &end); {
	case err != nil:
		return "unknown"
	case end.Error == nil:
		return ""
	case end.Error.Code == "" || !slices.Contains(rpcCodes(), end.Error.Code):
		return "unknown"
	}
	return end.Error.Code
}

func gunzip(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxEnd))
}

// grpcWebCode reads the code from trailers in the form of a header.
func grpcWebCode(trailers []byte) string {
	for line := range bytes.Lines(trailers) {
		key, value, _ := strings.Cut(string(line), ":")
		if textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(key)) == grpcStatus {
			return codeOf(value)
		}
	}
	return "unknown"
}
