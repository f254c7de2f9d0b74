package spec_test

import (
	"testing"

	"github.com/observability-first/scaffold/templates/spec"
)

func TestOnCloudRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cpu, memory  string
		cpus, memMiB int
		ok           bool
	}{
		{"250m", "256Mi", 1, 512, true},
		{"1", "1Gi", 1, 1024, true},
		{"1", "5Gi", 2, 5120, true},
		{"1.5", "1Gi", 2, 1024, true},
		{"2001m", "1Gi", 4, 2048, true},
		{"5", "1Gi", 6, 4096, true},
		{"8", "32Gi", 8, 32768, true},
		{"8.5", "1Gi", 0, 0, false},
		{"1", "33Gi", 0, 0, false},
	} {
		cpus, mebibytes, ok := spec.Resources{CPU: tt.cpu, Memory: tt.memory}.OnCloudRun()
		if cpus != tt.cpus || mebibytes != tt.memMiB || ok != tt.ok {
			t.Errorf("%s with %s: %d CPUs, %d MiB, %v", tt.cpu, tt.memory, cpus, mebibytes, ok)
		}
	}
}
