package grafana

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Error is what Grafana refused.
type Error struct {
	Status  int    // of HTTP
	Message string // Grafana's own words
	Advice  string // what to do
}

func (e *Error) Error() string {
	text := fmt.Sprintf("grafana says %d", e.Status)
	if e.Message != "" {
		text += " (" + e.Message + ")"
	}
	return text + ": " + e.Advice
}

// IsNotFound says whether what was asked for does not exist.
func IsNotFound(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.Status == http.StatusNotFound
}

// maxMessage bounds what is shown of an answer that may be a page of HTML.
const maxMessage = 200

// refusal reads why Grafana did not do it.
func (c *Client) refusal(resp *http.Response, text []byte) error {
	var answer struct {
		Message string `json:"message"`
		Status  string `json:"status"` // finer than the number for 412
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		answer.Message = "" // a page of a proxy, which says nothing to users
	}
	if len(answer.Message) > maxMessage {
		answer.Message = answer.Message[:maxMessage]
	}
	e := &Error{Status: resp.StatusCode, Message: answer.Message}
	e.Advice = c.advice(resp, answer.Message, answer.Status)
	return e
}

// advice is the one place that knows what to do about a status.
func (c *Client) advice(resp *http.Response, message, status string) string {
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		if c.token == "" {
			return "it wants a token; make one for a service account with the role Editor and set GRAFANA_TOKEN or --token-file"
		}
		return "the token is wrong or has expired; make a new one for a service account and set GRAFANA_TOKEN or --token-file"
	case http.StatusForbidden:
		return "the token may not do this; give its service account the role Editor, or Edit on the folder"
	case http.StatusNotFound:
		return "there is no such thing at " + c.base.Redacted() + "; check the address, its path included"
	case http.StatusPreconditionFailed:
		return conflict(status)
	case http.StatusBadRequest:
		if strings.Contains(message, "provisioned") {
			return provisioned
		}
		return "the board is not what this Grafana takes; boards are made for version 11 and newer"
	case http.StatusTooManyRequests:
		return "it has too much to do; try again later"
	}
	if resp.StatusCode >= http.StatusMultipleChoices && resp.StatusCode < http.StatusBadRequest {
		return "it is served at " + resp.Header.Get("Location") + "; use that address"
	}
	return "try again later, then look at Grafana's log"
}

const provisioned = "it loads this board from a file; change the file that provisions it, or remove the provider first"

// conflict explains the kinds of 412.
func conflict(status string) string {
	switch status {
	case "name-exists":
		return "another board of the folder has this title; rename or delete that one, or choose another --folder"
	case "plugin-dashboard":
		return "the board belongs to a plugin; give yours another uid"
	}
	return "somebody changed the board at the same moment; push again"
}
