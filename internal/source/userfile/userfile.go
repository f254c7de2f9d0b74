// Package userfile reads untrusted files.
//
// It reads only regular files of limited size, since a device such as /dev/zero has no end and
// opening a FIFO waits for a writer. Errors do not quote the file, which may have secrets.
package userfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Size limits of files, in bytes.
const (
	// Limit is for files that people write.
	Limit = 1 << 20
	// LargeLimit is for generated files: dashboards, rules, output of services, and files in place
	// of generated ones.
	LargeLimit = 16 << 20
	// PageLimit is for pages of metrics: a million series.
	PageLimit = 64 << 20
)

// Read reads a file. If it does not exist, the error is fs.ErrNotExist.
func Read(name string, limit int64) ([]byte, error) {
	shown := filepath.ToSlash(name)
	return read(shown, limit,
		func() (fs.FileInfo, error) { return os.Stat(name) },
		func() (io.ReadCloser, error) { return os.Open(name) })
}

// ReadOptional is Read, but returns nil, nil if the file does not exist.
func ReadOptional(name string, limit int64) ([]byte, error) {
	src, err := Read(name, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return src, err
}

// ExplainMissing adds advice to the error of a file argument that does not exist.
func ExplainMissing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist; pass a file or a directory", name)
	}
	return err
}

// ReadFS is Read for a file system, such as that of an [os.Root].
func ReadFS(fsys fs.FS, name string, limit int64) ([]byte, error) {
	return read(name, limit,
		func() (fs.FileInfo, error) { return fs.Stat(fsys, name) },
		func() (io.ReadCloser, error) { return fsys.Open(name) })
}

// ReadFrom reads a stream, such as standard input, to its end.
func ReadFrom(r io.Reader, name string, limit int64) ([]byte, error) {
	src, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(src)) > limit {
		return nil, fmt.Errorf("%s: %w", name, tooLargeError(limit))
	}
	return src, nil
}

// missingError is [fs.ErrNotExist] with the file name.
type missingError string

func (e missingError) Error() string { return string(e) + " does not exist" }
func (e missingError) Unwrap() error { return fs.ErrNotExist }

type tooLargeError int64

func (e tooLargeError) Error() string { return fmt.Sprintf("larger than %d MiB", int64(e)>>20) }

// Regular returns an error if a file is not regular and must not be opened.
func Regular(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	return regular(filepath.ToSlash(name), info)
}

func regular(name string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return fmt.Errorf("%s: is a directory; pass a file", name)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: not a regular file; pass a regular file", name)
	}
	return nil
}

func read(name string, limit int64, stat func() (fs.FileInfo, error), open func() (io.ReadCloser, error)) (src []byte, err error) {
	// Before opening, since opening a FIFO waits for a writer.
	info, err := stat()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missingError(name)
	}
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		failed.Op = "open"
	}
	if err != nil {
		return nil, err
	}
	if err := regular(name, info); err != nil {
		return nil, err
	}
	file, err := open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	src, err = ReadFrom(file, name, limit)
	if _, large := errors.AsType[tooLargeError](err); large {
		err = fmt.Errorf("%w; split it, or pass another file", err)
	}
	return src, err
}

// Unmarked returns the message for a text without its marks.
func Unmarked(marks ...string) string {
	quoted := make([]string, len(marks))
	for i, mark := range marks {
		quoted[i] = strconv.Quote(mark)
	}
	return "unexpected format: no line begins with " + strings.Join(quoted, " or ") + "; add it, or pass another file"
}

// Marked reports whether a line of a text begins with one of the marks: keys, with or without a
// value, by which a kind of document is recognized. In JSON and flow-style YAML, a key may be quoted
// and indented. Messages must not quote a text without its mark, which may be any file.
func Marked(src []byte, marks ...string) bool {
	text := strings.TrimPrefix(string(src), "\ufeff")
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		text = strings.NewReplacer("{", "\n", ",", "\n", ":", ": ").Replace(text)
		text = unindented.ReplaceAllString(text, "\n")
	}
	for line := range strings.Lines(strings.NewReplacer(`"`, "", "'", "", "\r", "\n").Replace(text)) {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			continue
		}
		line = strings.Replace(strings.Join(strings.Fields(line), " "), " :", ":", 1)
		if key, explicit := strings.CutPrefix(line, "? "); explicit { // the value is on another line
			line = key + ":"
		}
		if slices.ContainsFunc(marks, func(mark string) bool { return strings.HasPrefix(line, mark) }) {
			return true
		}
	}
	return false
}

// IsJSON reports whether a text begins like a JSON object or list. Errors of package json quote the
// text, which may be any file.
func IsJSON(src []byte) bool {
	src = bytes.TrimSpace(bytes.TrimPrefix(src, []byte("\ufeff")))
	return bytes.HasPrefix(src, []byte("{")) || bytes.HasPrefix(src, []byte("["))
}

var unindented = regexp.MustCompile(`\n[ \t]+`)
