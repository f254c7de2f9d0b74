package postgrestest

import (
	"errors"
	"os"
	"os/exec"
)

var errWindows = errors.New("a throw-away PostgreSQL runs on Linux and macOS only; set POSTGRES_URL to a server of your own")

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
