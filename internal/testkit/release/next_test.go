package release_test

import (
	"testing"

	"github.com/observability-first/scaffold/internal/testkit/release"
)

func TestNext(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		tags []string
		want string
	}{
		{nil, "v0.1.0"},
		{[]string{"v0.1.3", "v0.1.0", "runtime/v9.0.0", "latest"}, "v0.2.0"},
		{[]string{"v0.9.0", "v0.10.1", "v1.0.0-rc.1"}, "v0.11.0"},
		{[]string{"v2"}, "v2.1.0"},
	} {
		if got := release.Next(tt.tags); got != tt.want {
			t.Errorf("Next(%q) = %s, want %s", tt.tags, got, tt.want)
		}
	}
}
