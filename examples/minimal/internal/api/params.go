package api

import (
	"crypto/sha256"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/observability-first/scaffold/runtime/apierror"
)

// digest identifies a request by its decoded body, so that white space and the
// order of members make no difference.
func digest(body any) ([sha256.Size]byte, error) {
	text, err := json.Marshal(body)
	return sha256.Sum256(text), err
}

// etag formats a version for the ETag header.
func etag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// readETag returns the version of an ETag that etag formatted; 0 when the header is * or absent.
func readETag(header string) (int64, error) {
	if header == "" || header == "*" {
		return 0, nil
	}
	version, err := strconv.ParseInt(strings.Trim(header, `"`), 10, 64)
	if err != nil || version < 1 || header != etag(version) {
		return 0, apierror.Invalid("the request is not valid", apierror.Field{Location: "header.If-Match", Message: `send the ETag as you read it, with its double quotes, as in "3"`})
	}
	return version, nil
}

// readID parses the id of a path. Inputs hold it as text, because huma (v2.37) looks up the
// methods of any other type in each request, which takes longer than parsing.
func readID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, apierror.Invalid("the request is not valid", apierror.Field{Location: "path.id", Message: "write a UUID"})
	}
	return id, nil
}

// readCursor parses the cursor of a page.
func readCursor(cursor string) (uuid.UUID, error) {
	if cursor == "" {
		return uuid.Nil, nil
	}
	after, err := uuid.Parse(cursor)
	if err != nil {
		return uuid.Nil, apierror.Invalid("the request is not valid", apierror.Field{Location: "query.cursor", Message: "send next_cursor as you read it"})
	}
	return after, nil
}
