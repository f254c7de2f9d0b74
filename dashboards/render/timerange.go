package render

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// ParseTime reads a time as Grafana writes it: now, now-6h, RFC 3339, or milliseconds since 1970.
func ParseTime(text string, now time.Time) (time.Time, error) {
	if rest, relative := strings.CutPrefix(text, "now"); relative {
		if rest == "" {
			return now, nil
		}
		if d, err := model.ParseDuration(rest[1:]); err == nil && rest[0] == '-' {
			return now.Add(-time.Duration(d)), nil
		}
		if d, err := model.ParseDuration(rest[1:]); err == nil && rest[0] == '+' {
			return now.Add(time.Duration(d)), nil
		}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time; write now-6h or 2026-11-28T12:15:00Z", text)
}
