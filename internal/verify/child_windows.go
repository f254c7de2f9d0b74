package verify

import "os/exec"

// tie has nothing to offer on Windows.
func tie(*exec.Cmd) {}
