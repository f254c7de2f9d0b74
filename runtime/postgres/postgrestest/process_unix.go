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

// unprivileged returns a user other than root, as which PostgreSQL does not run. It is nil if the
// caller is not root.
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
	return nil, errors.New("PostgreSQL does not run as root, and neither the user postgres nor nobody exists; create one of them")
}

// own changes the owner of the directory to the account. In a world-writable directory, another
// user may have created it: anything but a directory of root or of the account is rejected.
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
		return fmt.Errorf("%s belongs to another user; remove it", dir)
	}
	return os.Lchown(dir, a.uid, a.gid)
}

// enters reports whether the account can access the directory and its parents.
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

// detach runs the command as the account, in a separate process group, so that Ctrl-C reaches
// only the caller, who then stops the server.
func detach(cmd *exec.Cmd, a *account) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)} //nolint:gosec // ids of the system
		cmd.Dir = "/"                                                                            // the account may not have access to the caller's directory
	}
}

// pause stops the server's processes. The postmaster is first, so that it starts no others.
func pause(postmaster int) error {
	if err := syscall.Kill(postmaster, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("pause the server: %w", err)
	}
	return signalChildren(postmaster, syscall.SIGSTOP)
}

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

// Signals that stop a postmaster (PostgreSQL manual, Shutting Down the Server).
const (
	fast      = syscall.SIGINT  // terminates sessions, writes a checkpoint
	immediate = syscall.SIGQUIT // as in a crash
)

// watchScript waits for the end of its input, which comes when the process with the other end of
// the pipe has ended for any reason. Then it stops the server with the data directory $1 and
// removes $2. The pid comes from the server's own file, so that restarts are followed. The fifth
// line of that file is the socket's directory; it distinguishes this server from another one with
// the same data. A paused server is continued first, because a stopped process cannot exit.
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

type watcher struct {
	cmd  *exec.Cmd
	pipe *os.File
}

// watch starts a watcher for the data directory and the directory to remove.
func watch(data, remove string) (*watcher, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reader.Close()                                                     //nolint:errcheck // the child has its own copy
	cmd := exec.Command("/bin/sh", "-c", watchScript, "watch", data, remove) //nolint:noctx // must outlive all contexts
	cmd.Stdin = reader
	detach(cmd, nil)
	if err := cmd.Start(); err != nil {
		_ = writer.Close() // no process reads it
		return nil, fmt.Errorf("start the watcher of the server: %w", err)
	}
	return &watcher{cmd, writer}, nil
}

// end makes the watcher clean up, and waits for it.
func (w *watcher) end() error { return errors.Join(w.pipe.Close(), w.cmd.Wait()) }
