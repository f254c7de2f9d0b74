package postgrestest

import (
	"errors"
	"os"
	"os/exec"
)

var errWindows = errors.New("a temporary PostgreSQL server needs Linux or macOS; set POSTGRES_URL to an existing server")

type account struct{}

func unprivileged() (*account, error) { return nil, errWindows }

func (*account) own(string) error { return nil }

func (*account) enters(string) bool { return false }

func detach(*exec.Cmd, *account) {}

func dieWithParent(*exec.Cmd) {}

func pause(int) error { return errWindows }

func resume(int) error { return errWindows }

var fast, immediate = os.Interrupt, os.Kill

type watcher struct{}

func watch(string, string) (*watcher, error) { return nil, errWindows }

func (*watcher) end() error { return errWindows }
