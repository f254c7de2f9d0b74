// Package component tests that a component is one directory: it adds the component heartbeat to scaffold, in builds only,
// and generates, verifies and changes services with it. docs/components.md describes how heartbeat was written.
package component
