//go:build !linux

package workspace

import (
	"errors"
	"os"
)

const syncsAtOnce = false

func syncFileSystem(*os.File) error { return errors.ErrUnsupported }
