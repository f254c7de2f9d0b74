package httpserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/observability-first/scaffold/runtime/apierror"
)

// maxJSONItems bounds the names and values in one JSON body. A decoder that does
// not know the type in advance needs up to 300 bytes of memory for a value of three
// bytes: 100 MB for a body of 1 MiB, but 3 MB for 10,000 values.
const maxJSONItems = 10_000

// maxJSONName bounds one name in bytes. Decoders and validators copy an unknown name
// several times to report it: 12 MB for one of 1 MiB.
const maxJSONName = 1000

// StrictJSON returns a handler that answers malformed JSON bodies itself, so that
// next reads only bodies with one meaning: one value in valid UTF-8, without
// duplicate names in an object, without numbers that float64 cannot hold. A body has
// at most 10,000 names and values, and a name at most 1,000 bytes; a route for larger
// documents does without StrictJSON. Bodies of other content types pass unread.
//
// Apply it with chi's With. Use also reads the bodies of unmatched routes.
func StrictJSON(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody || !isJSON(r.Header.Get("Content-Type")) {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err == nil && len(body) > 0 { // next knows whether it needs a body
			err = checkJSON(body)
		}
		if err != nil {
			WriteProblem(w, r, err)
			return
		}
		r.Body = bufferedBody{bytes.NewReader(body), r.Body}
		next.ServeHTTP(w, r)
	})
}

// bufferedBody is a body that was read from the connection before. Its WriteTo
// copies it without growing the destination step by step.
type bufferedBody struct {
	*bytes.Reader
	io.Closer
}

// UnmarshalJSON is [json.Unmarshal] for bodies that StrictJSON passed. Where it
// names a Go type, the error of UnmarshalJSON names the field.
func UnmarshalJSON(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return err
	case mismatch.Field == "":
		return fmt.Errorf("the %s does not fit", mismatch.Value)
	}
	return fmt.Errorf("%s: the %s does not fit", mismatch.Field, mismatch.Value)
}

// isJSON reports whether huma may decode bodies of the content type as JSON. It does
// so without a content type, too, and with nothing after the plus sign of a suffix.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || media == "json" || strings.HasSuffix(media, "/json") || strings.Contains(media, "+")
}

// checkJSON returns the first problem of a JSON text.
func checkJSON(text []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(text))
	for items, complete := 0, false; ; complete = decoder.StackDepth() == 0 {
		start := decoder.InputOffset()
		token, err := decoder.ReadToken()
		switch {
		case errors.Is(err, io.EOF) && complete:
			return nil
		case err != nil:
			return malformedJSON(err, decoder)
		case complete:
			return malformedJSON(errManyValues, decoder)
		}
		switch token.Kind() {
		case jsontext.KindEndObject, jsontext.KindEndArray:
			continue
		case jsontext.KindString:
			if decoder.InputOffset()-start > maxJSONName && isName(decoder) && len(token.String()) > maxJSONName {
				return apierror.New(apierror.CodeTooLarge, "the request body holds a JSON name longer than %d bytes", maxJSONName)
			}
		case jsontext.KindNumber:
			if _, err := strconv.ParseFloat(token.String(), 64); err != nil {
				return malformedJSON(errNumberRange, decoder)
			}
		}
		if items++; items > maxJSONItems {
			return apierror.New(apierror.CodeTooLarge, "the request body holds more than %d JSON names and values", maxJSONItems)
		}
	}
}

// isName reports whether the string that was just read is a name and not a value.
func isName(decoder *jsontext.Decoder) bool {
	kind, length := decoder.StackIndex(decoder.StackDepth())
	return kind == jsontext.KindBeginObject && length%2 == 1
}

var (
	errManyValues  = errors.New("more than one JSON value in the body")
	errNumberRange = errors.New("the number is out of range")
)

// malformedJSON is the error for malformed JSON text, with the field where it was found.
func malformedJSON(err error, decoder *jsontext.Decoder) error {
	pointer, message := decoder.StackPointer(), err.Error()
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		pointer = syntax.JSONPointer
		message = fmt.Sprintf("%v at byte %d", syntax.Err, syntax.ByteOffset)
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		message = "the name occurs more than once"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		message = "the JSON text ends early"
	}
	malformed := apierror.New(apierror.CodeMalformed, "the request body is not valid JSON")
	malformed.Fields = []apierror.Field{{Location: location(pointer), Message: message}}
	return malformed.WithCause(err)
}

// location spells a JSON pointer as [apierror.Field] does: /items/3/price is
// body.items[3].price.
func location(pointer jsontext.Pointer) string {
	var b strings.Builder
	b.WriteString("body")
	for token := range pointer.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			b.WriteString("[" + token + "]")
			continue
		}
		b.WriteString("." + token)
	}
	return b.String()
}
