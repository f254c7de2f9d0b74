//go:build unix

package postgrestest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that the server runs as.
type account struct{ uid, gid int }

// unprivileged finds a user other than root, which PostgreSQL refuses to run
// as. It is nil when the caller is not root.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // no other account is needed
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if errUID == nil && errGID == nil && uid != 0 {
			return &account{uid, gid}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody; create one of them")
}

// own gives the directory to the account. In a folder that everybody may write,
// somebody else may have been there first: what is not a directory of root's or
// of the account's is refused.
func (a *account) own(dir string) error {
	if a == nil {
		return nil
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || stat.Uid != 0 && int(stat.Uid) != a.uid {
		return fmt.Errorf("%s belongs to somebody else; remove it", dir)
	}
	return os.Lchown(dir, a.uid, a.gid)
}

// enters reports whether the account may pass through the directory and all
// above it.
func (a *account) enters(dir string) bool {
	if a == nil {
		return true
	}
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return false
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return false
		}
		pass := os.FileMode(0o001)
		switch {
		case int(stat.Uid) == a.uid:
			pass = 0o100
		case int(stat.Gid) == a.gid:
			pass = 0o010
		}
		if info.Mode()&pass == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

// detach puts the command into a process group of its own, so that an interrupt
// typed at the terminal reaches the caller alone, who then stops the server in
// order; and lets it run as the account.
func detach(cmd *exec.Cmd, a *account) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)} //nolint:gosec // ids of the system
		cmd.Dir = "/"                                                                            // the caller's directory may be closed to it
	}
}

// pause stops the server's processes where they are. The postmaster is first:
// after that no further one is born.
func pause(postmaster int) error {
	if err := syscall.Kill(postmaster, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("pause the server: %w", err)
	}
	return signalChildren(postmaster, syscall.SIGSTOP)
}

// resume lets them go on.
func resume(postmaster int) error {
	if err := signalChildren(postmaster, syscall.SIGCONT); err != nil {
		return err
	}
	if err := syscall.Kill(postmaster, syscall.SIGCONT); err != nil {
		return fmt.Errorf("resume the server: %w", err)
	}
	return nil
}

func signalChildren(postmaster int, sig syscall.Signal) error {
	pids, err := children(postmaster)
	if err != nil {
		return fmt.Errorf("list the server's processes: %w", err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal the server's process %d: %w", pid, err)
		}
	}
	return nil
}

// Ways to end a postmaster (PostgreSQL manual, Shutting Down the Server).
const (
	fast      = syscall.SIGINT  // ends sessions, checkpoints
	immediate = syscall.SIGQUIT // as after a crash
)

// watchScript waits for the end of its input, which the system brings about
// when the process that holds the other end is gone, for whatever reason. Then
// it ends the server whose data directory is $1 and removes $2. The pid comes
// from the server's own file, so that it follows restarts; the fifth line of that
// file is the socket's directory and tells our server from another one that
// has the same data open. A paused server is woken, since a sleeping process
// cannot end.
const watchScript = `
read -r _
pid=$(sed -n 1p "$1/postmaster.pid" 2>/dev/null)
socket=$(sed -n 5p "$1/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && [ "$socket" = "$2" ]; then
	kill -QUIT "$pid" 2>/dev/null
	for child in $(ps -A -o pid=,ppid= 2>/dev/null | awk -v p="$pid" '$2 == p {print $1}'); do
		kill -CONT "$child" 2>/dev/null
	done
	kill -CONT "$pid" 2>/dev/null
	tries=0
	while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	kill -KILL "$pid" 2>/dev/null
fi
rm -rf -- "$2"`

// watcher cleans up after a process that did not.
type watcher struct {
	cmd  *exec.Cmd
	pipe *os.File
}

// watch starts a watcher over the data directory and what is to be removed.
func watch(data, remove string) (*watcher, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reader.Close()                                                     //nolint:errcheck // the child has its own copy
	cmd := exec.Command("/bin/sh", "-c", watchScript, "watch", data, remove) //nolint:noctx // outlives every context of ours, on purpose
	cmd.Stdin = reader
	detach(cmd, nil)
	if err := cmd.Start(); err != nil {
		_ = writer.Close() // nobody reads it
		return nil, fmt.Errorf("start the watcher of the server: %w", err)
	}
	return &watcher{cmd, writer}, nil
}

// end lets the watcher do its work and waits for it.
func (w *watcher) end() error { return errors.Join(w.pipe.Close(), w.cmd.Wait()) }
