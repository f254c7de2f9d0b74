package verify

import (
	"slices"
	"testing"
)

// The log lines are read, whatever the user likes to see.
func TestTheServiceWritesJSONWhateverTheUserSet(t *testing.T) {
	t.Setenv("LOG_FORMAT", "text")
	env := new(session).environment()
	if last := slices.Index(env, "LOG_FORMAT=json"); last < slices.Index(env, "LOG_FORMAT=text") {
		t.Errorf("the user's LOG_FORMAT wins: %q", env)
	}
}
