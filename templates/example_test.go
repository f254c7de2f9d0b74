package templates_test

import (
	"fmt"

	"github.com/observability-first/scaffold/templates"
)

func ExampleNewTree() {
	_, err := templates.NewTree(
		templates.File{Path: "cmd/orders/main.go", Mode: 0o644, Owner: templates.Merged},
		templates.File{Path: "cmd/orders", Mode: 0o644, Owner: templates.UserOwned},
	)
	fmt.Println(err)
	// Output: cmd/orders/main.go: its directory is the file cmd/orders
}
