package push

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Error is the error of an error response.
type Error struct {
	Peer    string // kind of server, as in grafana
	Status  int    // HTTP status
	Message string // message of the server
	Advice  string // what to do
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s responded %d", e.Peer, e.Status)
	if e.Message != "" {
		text += " (" + e.Message + ")"
	}
	return text + ": " + e.Advice
}

// Rejected reports whether the server certainly rejected the request. After other errors, it may have
// executed it.
func Rejected(err error) bool {
	rejected, ok := errors.AsType[*Error](err)
	return ok && rejected.Status < http.StatusInternalServerError
}

// IsNotFound reports whether the response was 404.
func IsNotFound(err error) bool {
	rejected, ok := errors.AsType[*Error](err)
	return ok && rejected.Status == http.StatusNotFound
}

// ErrorResponse is a response that is not 2xx.
type ErrorResponse struct {
	Status     int
	Text       []byte
	Address    string // URL of the server, without secrets
	Authorized bool   // a token was sent
}

// maxMessage is the maximum length of a server's message, in bytes.
const maxMessage = 200

func (c *Client) errorOf(r Request, resp *http.Response, text []byte) error {
	message, advice := r.Explain(ErrorResponse{
		Status: resp.StatusCode, Text: text, Address: c.Address(), Authorized: c.options.Token != "",
	})
	if advice == "" {
		advice = c.advice(resp)
	}
	message = strings.ToValidUTF8(message[:min(len(message), maxMessage)], "")
	return &Error{Peer: strings.ToLower(c.peer.Name), Status: resp.StatusCode, Message: message, Advice: advice}
}

// advice returns the advice for a status of any server.
func (c *Client) advice(resp *http.Response) string {
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return "too many requests; try again later"
	case resp.StatusCode >= http.StatusMultipleChoices && resp.StatusCode < http.StatusBadRequest:
		return "redirected to " + resp.Header.Get("Location") + "; use that URL"
	}
	return "try again later, or check the log of " + c.peer.Name
}
