// Package openapi holds the OpenAPI document of the service.
package openapi

import _ "embed"

// Document describes every route of internal/api.
//
//go:embed openapi.json
var Document []byte
