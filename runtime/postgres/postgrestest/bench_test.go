package postgrestest

import "testing"

// BenchmarkNew is the time from nothing to a server that answers.
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
