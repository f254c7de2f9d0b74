package api

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/observability-first/scaffold/runtime/apierror"

	"github.com/observability-first/scaffold/examples/orders/internal/order"
)

const (
	defaultLimit = 20
	maxLimit     = 100
	maxKey       = 200 // bytes
	uuidLength   = 36  // with hyphens
	noVersion    = -1  // of an ETag that this service never sent
)

// invalidField is the error for one invalid part of a request.
func invalidField(location, message string) error {
	return apierror.Invalid("the request is not valid", apierror.Field{Location: location, Message: message})
}

// withRequestLocations maps fields of the domain to locations in the request, such as name to body.name.
func withRequestLocations(err error) error {
	rejected, ok := errors.AsType[*apierror.Error](err)
	if !ok {
		return err
	}
	out := *rejected
	out.Fields = nil
	for _, field := range rejected.Fields {
		if field.Location == "key" {
			field.Location = "header.Idempotency-Key"
		} else {
			field.Location = "body." + field.Location
		}
		out.Fields = append(out.Fields, field)
	}
	return &out
}

func readID(r *http.Request) (uuid.UUID, error) {
	id, ok := parseUUID(r.PathValue("id"))
	if !ok {
		return uuid.Nil, invalidField("path.id", "must be a UUID")
	}
	return id, nil
}

// parseUUID accepts only the form of RFC 9562. [uuid.Parse] also accepts braces, prefixes and 32 digits.
func parseUUID(text string) (id uuid.UUID, ok bool) {
	id, err := uuid.Parse(text)
	return id, err == nil && len(text) == uuidLength
}

// single returns the only value, or "" if there is none. ok is false if there are several.
func single(values []string) (value string, ok bool) {
	if len(values) == 0 {
		return "", true
	}
	return values[0], len(values) == 1
}

func readLimit(query url.Values) (int, error) {
	text, ok := single(query["limit"])
	if text == "" && ok {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || !ok || limit < 1 || limit > maxLimit {
		return 0, invalidField("query.limit", fmt.Sprintf("must be an integer from 1 to %d", maxLimit))
	}
	return limit, nil
}

// readCursor returns the id of the last item of the page before; uuid.Nil for the first page.
func readCursor(query url.Values) (uuid.UUID, error) {
	text, ok := single(query["cursor"])
	if text == "" && ok {
		return uuid.Nil, nil
	}
	after, valid := parseUUID(text)
	if !ok || !valid {
		return uuid.Nil, invalidField("query.cursor", "must be next_cursor of the previous page")
	}
	return after, nil
}

// readIdempotencyKey returns the key of a create request, or "" if there is none.
func readIdempotencyKey(r *http.Request) (string, error) {
	values := r.Header["Idempotency-Key"]
	value, ok := single(values)
	isPrintable := !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' })
	if len(values) > 0 && (!ok || value == "" || len(value) > maxKey || !isPrintable) {
		return "", invalidField("header.Idempotency-Key", fmt.Sprintf("must be one key of 1 to %d printable ASCII characters", maxKey))
	}
	return value, nil
}

// withBodyHash returns the key with the hash of the decoded body, so that white space and the order of members make no difference.
// Adding a field to the body changes the hash: a request repeated across that deployment gets [order.KeyConflict].
func withBodyHash(value string, body any) (order.IdempotencyKey, error) {
	if value == "" {
		return order.IdempotencyKey{}, nil
	}
	hash := sha256.New()
	encoder := json.NewEncoder(hash) // json.Marshal would copy a body of up to the limit
	encoder.SetEscapeHTML(false)     // without this, < is encoded in six bytes
	if err := encoder.Encode(body); err != nil {
		return order.IdempotencyKey{}, err
	}
	return order.IdempotencyKey{Value: value, BodyHash: [sha256.Size]byte(hash.Sum(nil))}, nil
}

// etag formats a version for the ETag header.
func etag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// requireIfMatch is [readIfMatch] for requests that need the header.
func requireIfMatch(r *http.Request) (int64, error) {
	if len(r.Header["If-Match"]) == 0 {
		return 0, apierror.New(apierror.CodePreconditionRequired, "send the ETag that you read as If-Match, or * for any version")
	}
	return readIfMatch(r)
}

// readIfMatch returns the version in If-Match, or [order.AnyVersion] if the header is `*` or missing.
func readIfMatch(r *http.Request) (int64, error) {
	values := r.Header["If-Match"]
	header, ok := single(values)
	if len(values) == 0 || ok && header == "*" {
		return order.AnyVersion, nil
	}
	if !ok || !isEntityTag(header) {
		return 0, invalidField("header.If-Match", `must be one ETag with its double quotes, such as "3", or *`)
	}
	version, err := strconv.ParseInt(strings.Trim(header, `"`), 10, 64)
	if err != nil || version < 1 || header != etag(version) {
		return noVersion, nil
	}
	return version, nil
}

// isEntityTag reports whether the text is one entity tag of RFC 9110, such as "3" or W/"3".
func isEntityTag(text string) bool {
	value, ok := strings.CutSuffix(strings.TrimPrefix(text, "W/"), `"`)
	return ok && strings.HasPrefix(value, `"`) && !strings.ContainsFunc(value[1:], func(c rune) bool { return c <= ' ' || c == '"' || c == 0x7f })
}
