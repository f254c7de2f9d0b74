// Package terraform tests generated modules with Terraform, or with OpenTofu if
// Terraform is not installed: format of all modules, validation and tests of the
// module core, which needs no provider. Of the modules for clouds it checks only
// references: their providers need an account of HashiCorp's registry, so
// attributes of resources are not checked.
package terraform
