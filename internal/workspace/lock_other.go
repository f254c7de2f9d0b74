//go:build !linux && !darwin

package workspace

import (
	"errors"
	"os"
)

func lockDirectory(*os.File) error { return errors.ErrUnsupported }

func unlockDirectory(*os.File) error { return nil }
