package image

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// nobody is the uid of the image.
const nobody = 65532

// waitTimeout is how long a test waits for a condition.
const waitTimeout = 30 * time.Second

// unpack writes the image's files below root, and lists their names, modes,
// owners and years.
func unpack(t *testing.T, image v1.Image, root string) []string {
	t.Helper()
	stream := mutate.Extract(image)
	defer func() { _ = stream.Close() }()
	var list []string
	for archive := tar.NewReader(stream); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Clean(h.Name)
		list = append(list, fmt.Sprintf("%s %s %d:%d %s", name, fs.FileMode(h.Mode).Perm(), h.Uid, h.Gid, h.ModTime.UTC().Format("2006")))
		path := filepath.Join(root, name)
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = writeFile(path, archive, fs.FileMode(h.Mode).Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func writeFile(path string, from io.Reader, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// process is a running service with its output.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	ended  chan error
	mu     sync.Mutex
	lines  []map[string]any
	raw    []string
	ticker chan struct{} // has a token after a new line
}

// inImage starts the image's program as a container engine does: as the user of
// the image, with root as a read-only file system, and /proc.
func inImage(t *testing.T, root, program string, env ...string) *process {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("run this test as root, which mounts and setuid need")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "proc"), 0o555); err != nil {
		t.Fatal(err)
	}
	return startProcess(t, &exec.Cmd{
		Path: self, Args: []string{program},
		Env:         append(env, enterRoot+"="+root),
		SysProcAttr: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL},
	})
}

// enterRoot is the environment variable with the root directory. The test binary
// starts itself in a new mount namespace, and calls enter if it is set.
const enterRoot = "TEST_ENTER_ROOT"

// enter changes the root directory and executes the program in it. It returns
// only errors.
func enter(root string) error {
	proc := filepath.Join(root, "proc")
	for _, m := range []struct {
		source, target string
		flags          uintptr
	}{
		{"none", "/", syscall.MS_REC | syscall.MS_PRIVATE}, // no mount is visible outside the namespace
		{root, root, syscall.MS_BIND},
		{"/proc", proc, syscall.MS_BIND | syscall.MS_REC},
		{"none", root, syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY},
	} {
		if err := syscall.Mount(m.source, m.target, "", m.flags, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.source, m.target, err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "new"), 0o700); !errors.Is(err, syscall.EROFS) {
		return errors.Join(fmt.Errorf("%s is not read-only", root), err)
	}
	if err := errors.Join(syscall.Chroot(root), syscall.Chdir("/"), syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
		return err
	}
	// A change of the user clears the signal that Pdeathsig set.
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0); errno != 0 {
		return errno
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, enterRoot+"=") })
	return syscall.Exec(os.Args[0], os.Args, env)
}

func startProcess(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, ended: make(chan error, 1), ticker: make(chan struct{}, 1)}
	out, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	read := make(chan struct{})
	go func() { p.read(out); close(read) }()
	go func() { err := cmd.Wait(); <-read; p.ended <- err; close(p.ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("output of the process:\n%s", p.output())
		}
	})
	return p
}

func (p *process) read(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var line map[string]any
		_ = json.Unmarshal(lines.Bytes(), &line) // other lines are kept as text only
		p.mu.Lock()
		p.lines, p.raw = append(p.lines, line), append(p.raw, lines.Text())
		p.mu.Unlock()
		select {
		case p.ticker <- struct{}{}:
		default:
		}
	}
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.raw, "\n")
}

// line waits for the log line with the message.
func (p *process) line(message string) map[string]any {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), waitTimeout)
	defer cancel()
	for {
		p.mu.Lock()
		for _, l := range p.lines {
			if l["msg"] == message {
				p.mu.Unlock()
				return l
			}
		}
		p.mu.Unlock()
		select {
		case <-p.ticker:
		case err := <-p.ended:
			p.t.Fatalf("the process ended before it logged %q: %v", message, err)
		case <-ctx.Done():
			p.t.Fatalf("the process did not log %q", message)
		}
	}
}

// stop sends SIGTERM and returns how long the process took to end.
func (p *process) stop(within time.Duration) time.Duration {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		if err != nil {
			p.t.Errorf("the process ended with an error: %v", err)
		}
	case <-time.After(within):
		p.t.Errorf("the process did not end within %s of SIGTERM", within)
	}
	return time.Since(began)
}
