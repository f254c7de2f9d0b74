package grafana

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/observability-first/scaffold/internal/push"
)

// explain reads why Grafana did not do it, and says what to do.
func explain(r push.Refusal) (message, whatToDo string) {
	var answer struct {
		Message string `json:"message"`
		Status  string `json:"status"` // finer than the number for 412
	}
	if err := json.Unmarshal(r.Text, &answer); err != nil {
		answer.Message = "" // a page of a proxy, which says nothing to users
	}
	return answer.Message, advice(r, answer.Message, answer.Status)
}

// advice is the one place that knows what to do about a status of Grafana.
func advice(r push.Refusal, message, status string) string {
	switch r.Status {
	case http.StatusUnauthorized:
		if !r.Authorized {
			return "it wants a token; make one for a service account with the role Editor and set GRAFANA_TOKEN or --token-file"
		}
		return "the token is wrong or has expired; make a new one for a service account and set GRAFANA_TOKEN or --token-file"
	case http.StatusForbidden:
		return "the token may not do this; give its service account the role Editor, or Edit on the folder"
	case http.StatusNotFound:
		return "there is no such thing at " + r.Address + "; check the address, its path included"
	case http.StatusPreconditionFailed:
		return conflict(status)
	case http.StatusBadRequest:
		if strings.Contains(message, "provisioned") {
			return provisioned
		}
		return "the dashboard is not what this Grafana takes; dashboards are made for version 11 and newer"
	}
	return ""
}

const provisioned = "it loads this dashboard from a file; change the file that provisions it, or remove the provider first"

// conflict explains the kinds of 412.
func conflict(status string) string {
	switch status {
	case "name-exists":
		return "another dashboard of the folder has this title; rename or delete that one, or choose another --folder"
	case "plugin-dashboard":
		return "the dashboard belongs to a plugin; give yours another uid"
	}
	return "somebody changed the dashboard at the same moment; push again"
}
