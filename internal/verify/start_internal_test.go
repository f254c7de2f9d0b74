package verify

import (
	"slices"
	"testing"
)

// The run reads the log lines, so the format that the user set does not apply.
func TestServiceLogsJSONForAnyUserSetting(t *testing.T) {
	t.Setenv("LOG_FORMAT", "text")
	env := new(session).environment()
	if last := slices.Index(env, "LOG_FORMAT=json"); last < slices.Index(env, "LOG_FORMAT=text") {
		t.Errorf("the user's LOG_FORMAT wins: %q", env)
	}
}
