package grow

import (
	"fmt"
	"path/filepath"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

// argument returns the error of an argument or a flag. It has no file.
func argument(name, format string, args ...any) error {
	return diagnostic.List{{Path: name, Message: fmt.Sprintf(format, args...)}}
}

// path returns the path of a file of the service as the user would write it.
func (s Service) path(file string) string {
	return filepath.ToSlash(filepath.Join(s.Dir, filepath.FromSlash(file)))
}

func (s Service) problem(file, format string, args ...any) diagnostic.Problem {
	return diagnostic.Problem{File: s.path(file), Message: fmt.Sprintf(format, args...)}
}
