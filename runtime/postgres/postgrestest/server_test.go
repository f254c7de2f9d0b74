//go:build unix

package postgrestest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience is the timeout of a condition on a busy machine.
const patience = 30 * time.Second

// eventually waits for a condition of another process.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("%s did not happen within %s", what, patience)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func query(t *testing.T, url, sql string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return "", err
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(values, " "), err
}

func TestEachTestGetsACopyOfTheTemplate(t *testing.T) {
	t.Parallel()
	server := Start(t)
	if err := server.Template(t.Context(), func(_ context.Context, url string) error {
		_, err := query(t, url, "CREATE TABLE words AS SELECT 'first' AS word")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"one", "two", "three"} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			url := server.Database(t)
			if _, err := query(t, url, "INSERT INTO words VALUES ('"+word+"')"); err != nil {
				t.Fatal(err)
			}
			if got, err := query(t, url, "SELECT word FROM words ORDER BY word"); err != nil || got != "first "+word {
				t.Errorf("got %q, %v; want first %s", got, err, word)
			}
		})
	}
	t.Cleanup(func() {
		got, err := query(t, server.URL, "SELECT datname::text FROM pg_database WHERE datname LIKE 'test%'")
		if err != nil || got != "" {
			t.Errorf("got databases %q, %v; want none after their tests", got, err)
		}
	})
}

func TestDatabasesOfOneBinaryShareAServer(t *testing.T) {
	t.Parallel()
	first := Database(t)
	if _, err := query(t, first, "CREATE TABLE words AS SELECT 'first' AS word"); err != nil {
		t.Fatal(err)
	}
	started := func(url string) string {
		text, err := query(t, url, "SELECT current_setting('unix_socket_directories')")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var second string
	t.Run("another test", func(t *testing.T) {
		second = Database(t)
		if one, other := started(first), started(second); one != other {
			t.Errorf("servers %q and %q, want one", one, other)
		}
		if _, err := query(t, second, "SELECT word FROM words"); err == nil {
			t.Error("the second database has the table of the first")
		}
	})
	if _, err := query(t, second, "SELECT 1::text"); err == nil {
		t.Error("the database exists after its test")
	}
}

func TestStopAndRestartKeepAddressAndData(t *testing.T) {
	t.Parallel()
	server := Start(t)
	url := server.Database(t)
	if _, err := query(t, url, "CREATE TABLE words AS SELECT 'kept' AS word"); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Errorf("stopping twice gave %v", err)
	}
	if _, err := query(t, url, "SELECT 1::text"); err == nil {
		t.Error("a stopped server accepted a connection")
	}
	if err := server.Pause(); err == nil {
		t.Error("a stopped server was paused")
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err == nil {
		t.Error("a running server was started again")
	}
	if got, err := query(t, url, "SELECT word FROM words"); err != nil || got != "kept" {
		t.Errorf("got %q, %v; want kept", got, err)
	}
}

func TestPausedServerContinues(t *testing.T) {
	t.Parallel()
	server := Start(t)
	conn, err := pgx.Connect(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.WithoutCancel(t.Context()), "SELECT 1")
		result <- err
	}()
	select {
	case err := <-result:
		t.Errorf("a paused server responded: %v", err)
	case <-time.After(200 * time.Millisecond): // no response has no other sign
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

func TestAPausedServerCanBeClosed(t *testing.T) {
	t.Parallel()
	server := Start(t)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(server.temp); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory still exists: %v", err)
	}
}

func TestServeKeepsDataInItsDirectory(t *testing.T) {
	t.Parallel()
	if _, err := find(); err != nil {
		decline(t, err, os.Getenv("CI") != "")
	}
	open, err := os.MkdirTemp("/tmp", "serve-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(open) })
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"a directory that is created":                         filepath.Join(open, "orders", ".postgres"),
		"a directory without access for the server's account": filepath.Join(t.TempDir(), ".postgres"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expectKept(t, dir)
		})
	}
}

func expectKept(t *testing.T, dir string) {
	t.Helper()
	for _, sql := range []string{"CREATE TABLE words AS SELECT 'kept' AS word", "SELECT word FROM words"} {
		server, err := Serve(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(server.Data, "PG_VERSION")); err != nil {
			t.Errorf("Data is %s: %v", server.Data, err)
		}
		_, err = query(t, server.URL, sql)
		second, twice := Serve(t.Context(), dir)
		if twice == nil || !strings.Contains(twice.Error(), "postmaster.pid") {
			t.Errorf("a second server on the same data gave %v, %v; want the server's own message", second, twice)
		}
		if _, still := query(t, server.URL, "SELECT 1::text"); still != nil {
			t.Errorf("the second server stopped the first: %v", still)
		}
		if err := errors.Join(err, server.Close()); err != nil {
			t.Fatal(err)
		}
	}
	account, err := unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{account: account}
	data, err := s.keep(dir)
	if err != nil {
		t.Fatal(err)
	}
	if inside := strings.HasPrefix(data, dir); inside != account.enters(dir) {
		t.Errorf("the data are in %s, want them in %s if the account may enter it", data, dir)
	}
	if err := os.RemoveAll(data); err != nil {
		t.Error(err)
	}
}

func TestDirectoryOfAnotherUserIsRejected(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	a := &account{uid: 65534, gid: 65534}
	if err := a.own(link); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a link: %v, want an error", err)
	}
	if err := a.own(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing directory was accepted")
	}
	var nobody *account
	if !nobody.enters("/none") || nobody.own("/none") != nil {
		t.Error("without another account, enters returned false")
	}
}

func TestStartErrorHasTheLog(t *testing.T) {
	t.Parallel()
	server := Start(t)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(server.Data, "postgresql.auto.conf"), []byte("nonsense = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := server.Restart(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the server exited during startup") || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v, want the server's own message", err)
	}
}

func TestTwoServersOfOneDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := Serve(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	})
	second, err := Serve(t.Context(), dir)
	if err == nil {
		_ = second.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "data directory "+first.Data+" is in use by another PostgreSQL, probably another run of this service; stop it first") {
		t.Errorf("got %v", err)
	}
}

// helperVariable is the environment variable that makes this test binary start a server, print
// its address, and wait.
const helperVariable = "POSTGRESTEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) == "" {
		os.Exit(m.Run())
	}
	s, err := New(context.Background())
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(s.temp, s.process.cmd.Process.Pid, s.watcher.cmd.Process.Pid)
	select {}
}

// helper is another process with its own server.
type helper struct {
	cmd                 *exec.Cmd
	dir                 string
	postmaster, watcher int
}

func startHelper(t *testing.T) helper {
	t.Helper()
	if _, err := find(); err != nil {
		decline(t, err, os.Getenv("CI") != "")
	}
	h := helper{cmd: exec.CommandContext(t.Context(), os.Args[0])}
	h.cmd.Env = append(os.Environ(), helperVariable+"=1")
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the helper printed %q: %v", line, err)
	}
	if _, err := fmt.Sscan(line, &h.dir, &h.postmaster, &h.watcher); err != nil {
		t.Fatalf("the helper printed %q: %v", line, err)
	}
	return h
}

func (h helper) crash(t *testing.T) {
	t.Helper()
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = h.cmd.Wait() // killed, as expected
}

func TestNothingIsLeftAfterACrash(t *testing.T) {
	t.Parallel()
	for name, paused := range map[string]bool{"of a running server": false, "of a paused server": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startHelper(t)
			if paused {
				if err := pause(h.postmaster); err != nil {
					t.Fatal(err)
				}
			}
			h.crash(t)
			for _, pid := range []int{h.postmaster, h.watcher} {
				eventually(t, "the end of process "+strconv.Itoa(pid), func() bool { return gone(pid) })
			}
			if _, err := os.Stat(h.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s still exists: %v", h.dir, err)
			}
		})
	}
}

// gone reports whether the process has ended. A zombie has ended, too.
func gone(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}
