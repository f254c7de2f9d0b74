package postgres

import "testing"

func TestReservedTableIsQuoted(t *testing.T) {
	t.Parallel()
	for resource, want := range map[string]string{"order": `"order"`, "purchase-order": "purchase_order", "user": `"user"`} {
		if got := table(resource); got != want {
			t.Errorf("%s: got %s, want %s", resource, got, want)
		}
	}
}
