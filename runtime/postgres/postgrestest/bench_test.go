package postgrestest

import "testing"

// BenchmarkNew measures the time until a new server accepts connections.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		s, err := New(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
