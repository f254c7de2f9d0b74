package httpserver

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/observability-first/scaffold/runtime/apierror"
)

// maxJSONItems limits the names and values in a JSON body. A decoder needs up to 300 bytes of
// memory for a value of three bytes: 100 MB for a body of 1 MiB, but 3 MB for 10,000 values.
const maxJSONItems = 10_000

// maxJSONName limits the length of a name in bytes. It is copied several times to report it: 12
// MB for a name of 1 MiB.
const maxJSONName = 1000

// ReadJSON decodes the body of the request into a T. If the client is at fault, the error is an
// [apierror.Error] that lists every invalid member of the body with its first problem:
//
//   - malformed JSON, invalid UTF-8, and duplicate names in an object
//   - a member that T does not have; names are case-sensitive
//   - a missing member of a struct, unless its field has the option omitempty or omitzero.
//     Members of nested objects may be missing
//   - null, unless the field is a pointer, slice, map or interface, or may be missing
//   - a value that does not fit its field
//
// A missing body and an unsupported content type are errors, too. A body may have 10,000 names
// and values. In a body of more than 10,000 bytes, a name may have 1,000 bytes. Decode larger
// documents from the request's Body.
func ReadJSON[T any](r *http.Request) (T, error) {
	var value, none T
	body, err := readBody(r)
	if err != nil {
		return none, err
	}
	if len(body) > maxJSONItems {
		if err := checkJSON(body); err != nil {
			return none, err
		}
	}
	if err := json.Unmarshal(body, &value, json.RejectUnknownMembers(true)); err != nil {
		return none, explain[T](body, err)
	}
	if zero := zeroMembers(reflect.ValueOf(value)); len(zero) > 0 {
		if fields := missing(zero, body); len(fields) > 0 {
			return none, apierror.Invalid(invalidBody, fields...)
		}
	}
	return value, nil
}

const invalidBody = "the request body is not valid"

// explain returns an error that lists everything that is wrong with the body.
func explain[T any](body []byte, err error) error {
	if err := checkJSON(body); err != nil {
		return err
	}
	var zero T
	fields := append(missing(zeroMembers(reflect.ValueOf(&zero)), body), wrongMembers[T](body)...)
	if len(fields) == 0 {
		fields = append(fields, wrongField(err)) // the body as a whole is invalid
	}
	return apierror.Invalid(invalidBody, fields...).WithCause(err)
}

// WriteJSON responds with value as JSON. If it returns an error, it wrote nothing.
func WriteJSON(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the server records failed writes
	return nil
}

func readBody(r *http.Request) ([]byte, error) {
	if types := r.Header["Content-Type"]; len(types) > 1 || !isJSON(r.Header.Get("Content-Type")) {
		return nil, apierror.New(apierror.CodeUnsupported, "unsupported content type; send application/json")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, apierror.New(apierror.CodeMalformed, "the request has no body; send JSON")
	}
	return body, nil
}

// isJSON reports whether a body of the content type is JSON. Many clients send JSON without a
// content type.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// member is a required member of the body.
type member struct {
	name     string
	nullable bool
}

// zeroMembers returns the required members of a struct whose fields are zero. The body may lack
// them.
func zeroMembers(v reflect.Value) []member {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v = reflect.New(v.Type().Elem())
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	var out []member
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			out = append(out, zeroMembers(v.Field(i))...)
		case !field.IsExported(), name == "-", strings.Contains(options, "omit"), !v.Field(i).IsZero():
		default:
			nullable := slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface}, field.Type.Kind())
			out = append(out, member{cmp.Or(name, field.Name), nullable})
		}
	}
	return out
}

// missing returns the required members that the body lacks.
func missing(required []member, body []byte) []apierror.Field {
	if kind := jsontext.Value(body).Kind(); kind != jsontext.KindBeginObject && kind != jsontext.KindNull {
		return nil // the body as a whole is invalid
	}
	kinds := map[string]jsontext.Kind{}
	for name, value := range members(body) {
		kinds[name] = value.Kind()
	}
	var fields []apierror.Field
	for _, m := range required {
		message := "the member is missing"
		if kind, present := kinds[m.name]; present && (kind != jsontext.KindNull || m.nullable) {
			continue
		} else if present {
			message = "must not be null"
		}
		fields = append(fields, apierror.Field{Location: location(jsontext.Pointer("").AppendToken(m.name)), Message: message})
	}
	return fields
}

// wrongMembers decodes each member separately, since a decoder stops at the first invalid one.
func wrongMembers[T any](body []byte) []apierror.Field {
	var fields []apierror.Field
	for name, value := range members(body) {
		alone, err := jsontext.AppendQuote([]byte("{"), name)
		if err != nil {
			continue // checkJSON rejects such names
		}
		alone = append(append(append(alone, ':'), value...), '}')
		var single T
		if err := json.Unmarshal(alone, &single, json.RejectUnknownMembers(true)); err != nil {
			fields = append(fields, wrongField(err))
		}
	}
	return fields
}

// members iterates over the members of a JSON object. Other values have none.
func members(text []byte) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		decoder := jsontext.NewDecoder(bytes.NewBuffer(text))
		if start, err := decoder.ReadToken(); err != nil || start.Kind() != jsontext.KindBeginObject {
			return
		}
		for decoder.PeekKind() == jsontext.KindString {
			token, err := decoder.ReadToken()
			if err != nil {
				return
			}
			name := token.String()
			value, err := decoder.ReadValue()
			if err != nil || !yield(name, value) {
				return
			}
		}
	}
}

// wrongField describes a decoding error without the names of Go types.
func wrongField(err error) apierror.Field {
	semantic, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return apierror.Field{Location: "body", Message: "the value does not fit"}
	case errors.Is(err, json.ErrUnknownName):
		return apierror.Field{Location: location(semantic.JSONPointer), Message: "the member is unknown"}
	}
	message := fmt.Sprintf("the %s does not fit", kindName(semantic.JSONKind))
	if wanted := wantedKind(semantic.GoType); wanted != "" && !strings.HasSuffix(wanted, " "+kindName(semantic.JSONKind)) {
		message = "must be " + wanted
	}
	return apierror.Field{Location: location(semantic.JSONPointer), Message: message}
}

// wantedKind describes the JSON values that a Go type accepts, or returns "".
func wantedKind(t reflect.Type) string {
	if t == nil {
		return ""
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	pointer := reflect.PointerTo(t)
	_, ofJSON := pointer.MethodByName("UnmarshalJSON")
	_, ofDecoder := pointer.MethodByName("UnmarshalJSONFrom")
	_, ofText := pointer.MethodByName("UnmarshalText")
	switch {
	case ofText && !ofJSON && !ofDecoder, t == reflect.TypeFor[time.Time]():
		return "a string"
	case ofJSON, ofDecoder, t == reflect.TypeFor[time.Duration]():
		return ""
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		most := int64(math.MaxInt64) >> (64 - t.Bits())
		return fmt.Sprintf("an integer from %d to %d", -most-1, most)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprintf("an integer from 0 to %d", uint64(math.MaxUint64)>>(64-t.Bits()))
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() != reflect.Uint8 { // []byte is base64
			return "an array"
		}
	}
	return ""
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case jsontext.KindBeginObject, jsontext.KindEndObject:
		return "object"
	case jsontext.KindBeginArray, jsontext.KindEndArray:
		return "array"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "boolean"
	case jsontext.KindNull, jsontext.KindString, jsontext.KindNumber:
		return kind.String()
	}
	return "value"
}

// checkJSON returns the first error in a JSON text.
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
				return apierror.New(apierror.CodeTooLarge, "the request body has a JSON name longer than %d bytes", maxJSONName)
			}
		case jsontext.KindNumber:
			if _, err := strconv.ParseFloat(token.String(), 64); err != nil {
				return malformedJSON(errNumberRange, decoder)
			}
		}
		if items++; items > maxJSONItems {
			return apierror.New(apierror.CodeTooLarge, "the request body has more than %d JSON names and values", maxJSONItems)
		}
	}
}

// isName reports whether the last string read is a name and not a value.
func isName(decoder *jsontext.Decoder) bool {
	kind, length := decoder.StackIndex(decoder.StackDepth())
	return kind == jsontext.KindBeginObject && length%2 == 1
}

var (
	errManyValues  = errors.New("more than one JSON value in the body")
	errNumberRange = errors.New("the number is out of range")
)

// malformedJSON returns the error for malformed JSON, with its location.
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

// location converts a JSON pointer to the form of [apierror.Field]: /items/3/price becomes
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
