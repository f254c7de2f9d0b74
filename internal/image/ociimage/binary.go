package ociimage

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"time"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// Binary is a static program.
type Binary struct {
	path         string
	architecture string
	revision     string    // commit of the build; may be empty
	committed    time.Time // time of the commit; may be zero
}

// OpenBinary reads the build information of a program. It rejects programs that do not run in the
// image.
func OpenBinary(path string) (Binary, error) {
	if err := userfile.Regular(path); err != nil {
		return Binary{}, fmt.Errorf("%w; build the binary first (make image does)", err)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return Binary{}, fmt.Errorf("%s is not a Go program: %w", path, err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	b := Binary{path: path, architecture: settings["GOARCH"], revision: settings["vcs.revision"]}
	b.committed, _ = time.Parse(time.RFC3339, settings["vcs.time"]) // absent in builds outside a repository
	return b, errors.Join(
		runsInImage(path, settings["GOOS"] == "linux", "GOOS=linux"),
		runsInImage(path, settings["CGO_ENABLED"] == "0", "CGO_ENABLED=0"),
		runsInImage(path, hasTag(settings["-tags"], "timetzdata"), "-tags timetzdata"),
		runsInImage(path, settings["-trimpath"] == "true", "-trimpath"),
	)
}

func runsInImage(path string, does bool, flag string) error {
	if does {
		return nil
	}
	return fmt.Errorf("%s was built without %s; build it with make image", path, flag)
}
