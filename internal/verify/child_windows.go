package verify

import "os/exec"

// tie does nothing on Windows.
func tie(*exec.Cmd) {}
