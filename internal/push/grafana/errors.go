package grafana

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/observability-first/scaffold/internal/push"
)

// explain returns Grafana's message and advice.
func explain(r push.ErrorResponse) (message, whatToDo string) {
	var response struct {
		Message string `json:"message"`
		Status  string `json:"status"` // the reason for 412
	}
	if err := json.Unmarshal(r.Text, &response); err != nil {
		response.Message = "" // a page of a proxy
	}
	return response.Message, advice(r, response.Message, response.Status)
}

// advice returns the advice for a status of Grafana.
func advice(r push.ErrorResponse, message, status string) string {
	switch r.Status {
	case http.StatusUnauthorized:
		if !r.Authorized {
			return "a token is required; create one for a service account with the role Editor, and set GRAFANA_TOKEN or --token-file"
		}
		return "the token is invalid or has expired; create a new one for a service account, and set GRAFANA_TOKEN or --token-file"
	case http.StatusForbidden:
		return "the token has no permission; grant its service account the role Editor, or Edit on the folder"
	case http.StatusNotFound:
		return "not found at " + r.Address + "; check the URL and its path"
	case http.StatusPreconditionFailed:
		return conflict(status)
	case http.StatusBadRequest:
		if strings.Contains(message, "provisioned") {
			return provisioned
		}
		return "this Grafana rejects the dashboard; generated dashboards need version 11 or newer"
	}
	return ""
}

const provisioned = "the dashboard is provisioned from a file; change that file, or remove the provider"

// conflict returns the advice for a 412.
func conflict(status string) string {
	switch status {
	case "name-exists":
		return "another dashboard in the folder has this title; rename or delete it, or choose another --folder"
	case "plugin-dashboard":
		return "a dashboard of a plugin has this uid; use another uid"
	}
	return "the dashboard was changed concurrently; push again"
}
