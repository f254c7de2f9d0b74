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

// TokenVariable is where the token comes from.
const TokenVariable = "MIMIR_TOKEN"

// explain reads why Mimir did not do it, and is the one place that knows what to
// do about it.
func (c *Client) explain(r push.Refusal, need Need) (message, advice string) {
	message = words(r.Text)
	switch r.Status {
	case http.StatusUnauthorized:
		return message, unauthorized(r, message)
	case http.StatusForbidden:
		if strings.Contains(message, "namespace is protected") {
			return message, "whoever runs Mimir lists it in ruler_protected_namespaces; choose another --namespace, or ask them"
		}
		return message, "the token may not change rules" + c.ofTenant() + "; give it the right to, or set another in " + TokenVariable + " or --token-file"
	case http.StatusNotFound:
		return message, "there is no ruler at " + r.Address + "/" + strings.Join(c.path(), "/") +
			"; check that Mimir runs its ruler with the API enabled (-ruler.enable-api), and that --prefix is its -http.prometheus-http-prefix"
	case http.StatusBadRequest:
		return message, c.badRequest(message, need)
	}
	return message, ""
}

func unauthorized(r push.Refusal, message string) string {
	switch {
	case strings.Contains(message, "no org id"):
		return "it keeps tenants apart; name yours with --tenant or SCAFFOLD_MIMIR_TENANT"
	case r.Authorized:
		return "the token is wrong or has expired; set another in " + TokenVariable + " or --token-file, with --user if it is a password"
	}
	return "it wants a token; set " + TokenVariable + " or --token-file, with --user if it is a password"
}

// limits are the words in which Mimir says that a tenant has too much, with the
// numbers that it allows and that it would have had.
const limits = `per-user %s limit \(limit: (\d+) actual: (\d+)\) exceeded`

func (c *Client) badRequest(message string, need Need) string {
	if limit, actual, over := exceeded("rules per rule group", message); over {
		return c.raise("ruler_max_rules_per_rule_group", limit, max(actual, need.Rules), "rules in a group")
	}
	if limit, actual, over := exceeded("rule groups", message); over {
		return c.raise("ruler_max_rule_groups_per_tenant", limit, actual+max(0, need.Groups-1), "groups")
	}
	if strings.Contains(message, "no valid org id") {
		return "the tenant is no name that Mimir takes; check --tenant or SCAFFOLD_MIMIR_TENANT"
	}
	return "the group is not what this Mimir takes; look at what it says, and at its version"
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

// raise is what to tell whoever runs Mimir. A limit belongs to a tenant, so that
// the others need not change.
func (c *Client) raise(name string, limit, need int, what string) string {
	return fmt.Sprintf("this Mimir takes %d %s and this push needs %d; tell whoever runs it to set the limit %s to at least %d%s, then push again",
		limit, what, need, name, need, c.ofTenant())
}

func (c *Client) ofTenant() string {
	if c.tenant == "" {
		return ""
	}
	return fmt.Sprintf(" of tenant %q", c.tenant)
}

// words are those of the server: plain text or JSON, never a page of a proxy.
func words(text []byte) string {
	var answer struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(text, &answer); err == nil {
		return answer.Error
	}
	plain := strings.Join(strings.Fields(string(text)), " ")
	if strings.HasPrefix(plain, "<") {
		return ""
	}
	return plain
}
