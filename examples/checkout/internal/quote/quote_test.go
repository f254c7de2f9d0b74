package quote_test

import (
	"slices"
	"testing"

	"github.com/observability-first/scaffold/runtime/apierror"

	"github.com/observability-first/scaffold/examples/checkout/internal/quote"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		items []quote.Item
		want  quote.Quote
	}{
		"shipping is added below the limit":  {[]quote.Item{{UnitCents: 4_999, Quantity: 1}}, quote.Quote{Items: 4_999, Shipping: 490}},
		"shipping is free from the limit on": {[]quote.Item{{UnitCents: 2_500, Quantity: 2}}, quote.Quote{Items: 5_000}},
		"items are added":                    {[]quote.Item{{UnitCents: 100, Quantity: 3}, {UnitCents: 50, Quantity: 1}}, quote.Quote{Items: 350, Shipping: 490}},
		"the largest cart does not overflow": {slices.Repeat([]quote.Item{{UnitCents: quote.MaxUnitCents, Quantity: quote.MaxQuantity}}, quote.MaxItems), quote.Quote{Items: 1_000_000_000_000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := quote.Of(tc.items)
			if err != nil || got != tc.want || got.Total() != tc.want.Items+tc.want.Shipping {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.want)
			}
		})
	}
}

func TestInvalidCartsAreRejected(t *testing.T) {
	t.Parallel()
	valid := quote.Item{UnitCents: 1, Quantity: 1}
	for name, tc := range map[string]struct {
		items []quote.Item
		want  []string // locations
	}{
		"an empty cart is rejected":      {nil, []string{"items"}},
		"too many items are rejected":    {slices.Repeat([]quote.Item{valid}, quote.MaxItems+1), []string{"items"}},
		"every invalid item is reported": {[]quote.Item{{UnitCents: -1, Quantity: 0}, valid, {UnitCents: quote.MaxUnitCents + 1, Quantity: quote.MaxQuantity + 1}}, []string{"items[0].unit_cents", "items[0].quantity", "items[2].unit_cents", "items[2].quantity"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := quote.Of(tc.items)
			rejected := apierror.From(err)
			if rejected == nil {
				t.Fatalf("got %v, want an API error", err)
			}
			var got []string
			for _, field := range rejected.Fields {
				got = append(got, field.Location)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got errors at %q, want %q", got, tc.want)
			}
		})
	}
}
