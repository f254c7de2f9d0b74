package push

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Error is what a server refused.
type Error struct {
	Peer    string // as in grafana
	Status  int    // of HTTP
	Message string // the server's own words
	Advice  string // what to do
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s says %d", e.Peer, e.Status)
	if e.Message != "" {
		text += " (" + e.Message + ")"
	}
	return text + ": " + e.Advice
}

// Refused says whether the server certainly did not do what it was asked for.
// After any other error it may have.
func Refused(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.Status < http.StatusInternalServerError
}

// IsNotFound says whether what was asked for does not exist.
func IsNotFound(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.Status == http.StatusNotFound
}

// Refusal is an answer that is not 2xx.
type Refusal struct {
	Status     int
	Text       []byte
	Address    string // of the server, without secrets
	Authorized bool   // a token was sent
}

// maxMessage bounds what is shown of an answer, in bytes.
const maxMessage = 200

func (c *Client) refusal(r Request, resp *http.Response, text []byte) error {
	message, advice := r.Explain(Refusal{
		Status: resp.StatusCode, Text: text, Address: c.Address(), Authorized: c.options.Token != "",
	})
	if advice == "" {
		advice = c.advice(resp)
	}
	message = strings.ToValidUTF8(message[:min(len(message), maxMessage)], "")
	return &Error{Peer: strings.ToLower(c.peer.Name), Status: resp.StatusCode, Message: message, Advice: advice}
}

// advice is the one place that knows what to do about a status, whichever the
// server.
func (c *Client) advice(resp *http.Response) string {
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return "it has too much to do; try again later"
	case resp.StatusCode >= http.StatusMultipleChoices && resp.StatusCode < http.StatusBadRequest:
		return "it is served at " + resp.Header.Get("Location") + "; use that address"
	}
	return "try again later, then look at " + c.peer.Name + "'s log"
}
