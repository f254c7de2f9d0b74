// Package quote computes the price of a cart. It does not import net/http or the store.
package quote

import (
	"fmt"

	"github.com/observability-first/scaffold/runtime/apierror"
)

// Limits of a cart. They also keep the total within an int64.
const (
	MaxItems     = 100
	MaxQuantity  = 1_000
	MaxUnitCents = 10_000_000
)

const (
	shippingCents     = 490
	freeShippingCents = 5_000 // items of this price ship for free
)

// Item is one line of a cart.
type Item struct {
	UnitCents int64
	Quantity  int64
}

// Quote is the price of a cart in cents.
type Quote struct {
	Items    int64
	Shipping int64
}

// Total returns the price with shipping.
func (q Quote) Total() int64 { return q.Items + q.Shipping }

// Of returns the price of the items, or one error with every invalid one.
func Of(items []Item) (Quote, error) {
	if fields := problems(items); len(fields) > 0 {
		return Quote{}, apierror.Invalid("the cart is not valid", fields...)
	}
	var q Quote
	for _, item := range items {
		q.Items += item.UnitCents * item.Quantity
	}
	if q.Items < freeShippingCents {
		q.Shipping = shippingCents
	}
	return q, nil
}

func problems(items []Item) []apierror.Field {
	if len(items) < 1 || len(items) > MaxItems {
		return []apierror.Field{{Location: "items", Message: fmt.Sprintf("must have 1 to %d items", MaxItems)}}
	}
	var fields []apierror.Field
	for i, item := range items {
		if item.UnitCents < 1 || item.UnitCents > MaxUnitCents {
			fields = append(fields, apierror.Field{Location: fmt.Sprintf("items[%d].unit_cents", i), Message: fmt.Sprintf("must be from 1 to %d", MaxUnitCents)})
		}
		if item.Quantity < 1 || item.Quantity > MaxQuantity {
			fields = append(fields, apierror.Field{Location: fmt.Sprintf("items[%d].quantity", i), Message: fmt.Sprintf("must be from 1 to %d", MaxQuantity)})
		}
	}
	return fields
}
