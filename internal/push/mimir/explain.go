package mimir

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/push"
)

// TokenVariable is the environment variable of the token.
const TokenVariable = "MIMIR_TOKEN"

// explain returns Mimir's message and advice.
func (c *Client) explain(r push.ErrorResponse, need Need) (message, advice string) {
	message = words(r.Text)
	switch r.Status {
	case http.StatusUnauthorized:
		return message, unauthorized(r, message)
	case http.StatusForbidden:
		if strings.Contains(message, "namespace is protected") {
			return message, "Mimir's ruler_protected_namespaces has this namespace; choose another --namespace, or ask the operators of Mimir"
		}
		return message, "the token has no permission to change rules" + c.ofTenant() + "; grant it, or set another token in " + TokenVariable + " or --token-file"
	case http.StatusNotFound:
		return message, "no ruler at " + r.Address + "/" + strings.Join(c.path(), "/") +
			"; check that Mimir runs its ruler with the API enabled (-ruler.enable-api), and that --prefix is its -http.prometheus-http-prefix"
	case http.StatusBadRequest:
		return message, c.badRequest(message, need)
	}
	return message, ""
}

func unauthorized(r push.ErrorResponse, message string) string {
	switch {
	case strings.Contains(message, "no org id"):
		return "a tenant is required; set --tenant or SCAFFOLD_MIMIR_TENANT"
	case r.Authorized:
		return "the token is invalid or has expired; set another in " + TokenVariable + " or --token-file, with --user if it is a password"
	}
	return "a token is required; set " + TokenVariable + " or --token-file, with --user if it is a password"
}

// limits matches Mimir's message of an exceeded limit, with the limit and the actual number.
const limits = `per-user %s limit \(limit: (\d+) actual: (\d+)\) exceeded`

func (c *Client) badRequest(message string, need Need) string {
	if limit, actual, over := exceeded("rules per rule group", message); over {
		return c.raise("ruler_max_rules_per_rule_group", limit, max(actual, need.Rules), "rules in a group")
	}
	if limit, actual, over := exceeded("rule groups", message); over {
		return c.raise("ruler_max_rule_groups_per_tenant", limit, actual+max(0, need.Groups-1), "groups")
	}
	if strings.Contains(message, "no valid org id") {
		return "invalid tenant name; check --tenant or SCAFFOLD_MIMIR_TENANT"
	}
	return "this Mimir rejects the group; check its message and version"
}

func exceeded(what, message string) (limit, actual int, over bool) {
	found := regexp.MustCompile(fmt.Sprintf(limits, what)).FindStringSubmatch(message)
	if found == nil {
		return 0, 0, false
	}
	limit, err := strconv.Atoi(found[1])
	if err != nil {
		return 0, 0, false
	}
	actual, err = strconv.Atoi(found[2])
	return limit, actual, err == nil
}

// raise returns the advice to raise a limit of the tenant.
func (c *Client) raise(name string, limit, need int, what string) string {
	return fmt.Sprintf("the limit is %d %s, but this push needs %d; ask the operators of Mimir to set %s to at least %d%s, then push again",
		limit, what, need, name, need, c.ofTenant())
}

func (c *Client) ofTenant() string {
	if c.tenant == "" {
		return ""
	}
	return fmt.Sprintf(" of tenant %q", c.tenant)
}

// words returns the server's message in plain text or JSON, empty for a page of a proxy.
func words(text []byte) string {
	var response struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(text, &response); err == nil {
		return response.Error
	}
	plain := strings.Join(strings.Fields(string(text)), " ")
	if strings.HasPrefix(plain, "<") {
		return ""
	}
	return plain
}
