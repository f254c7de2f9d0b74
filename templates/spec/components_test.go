package spec_test

import (
	"fmt"
	"strings"
	"testing"
)

// All instances, including those of a rollout, and one migration stay within the budget.
func TestPoolSize(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, src, arithmetic string
		want                  int
	}{
		{"defaults", "components: {postgres: {}}", "(97 - 1 for a migration) / (10 replicas + 3 during a rollout)", 7},
		{"component without options", "components: {postgres: }", "(97 - 1 for a migration) / (10 replicas + 3 during a rollout)", 7},
		{"surge is rounded up", "components: {postgres: {}}\ndeploy: {replicas: {max: 21}}",
			"(97 - 1 for a migration) / (21 replicas + 6 during a rollout)", 3},
		{"smallest budget", "components: {postgres: {connections: 14}}", "(14 - 1 for a migration) / (10 replicas + 3 during a rollout)", 1},
		{"large database", "components: {postgres: {connections: 262143}}\ndeploy: {replicas: {min: 1, max: 1}}",
			"(262143 - 1 for a migration) / (1 replicas + 1 during a rollout)", 10000},
		{"new revision in parallel on Cloud Run", "components: {postgres: {}}\ntelemetry: {metrics: push}\ndeploy: {platforms: [kubernetes, cloud-run]}",
			"(97 - 1 for a migration) / (10 replicas + 10 during a rollout)", 4},
		{"Terraform", "components: {postgres: {}}\ntelemetry: {metrics: push}\ndeploy: {terraform: [aws]}",
			"(97 - 1 for a migration) / (10 replicas + 10 during a rollout)", 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := parse(t, minimal+tt.src)
			if got := fmt.Sprintf("%+v", s.Parts()[1].Data); !strings.HasPrefix(got, fmt.Sprintf("{PoolSize:%d PoolArithmetic:%s ", tt.want, tt.arithmetic)) {
				t.Errorf("got %s, want %d from %s", got, tt.want, tt.arithmetic)
			}
		})
	}
}
