package postgrestest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	superuser = "postgres"
	port      = "5432" // only part of the socket's name

	// startTimeout is far beyond the second that a start takes, for busy machines.
	startTimeout = time.Minute
	// stopTimeout is how long sessions have to end before the server is stopped as in a crash.
	stopTimeout = 10 * time.Second
	// pollInterval is the time between two attempts to connect to a starting server.
	pollInterval = 10 * time.Millisecond
	// socketPathLimit is the maximum length of a directory for the socket. sockaddr_un has at
	// least 104 bytes (macOS).
	socketPathLimit = 80
)

// Server is a running PostgreSQL server. Its methods are safe for concurrent use.
type Server struct {
	// URL is the connection string of the server's first, empty database.
	URL string
	// Data is the data directory.
	Data string

	bin     binaries
	account *account
	temp    string // socket and log, and the data of a temporary server
	kept    bool   // the data remain after the server stops
	watcher *watcher

	databases atomic.Int64
	template  string

	mu      sync.Mutex
	process *process // nil while stopped
}

type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	paused bool
}

// New starts a server with an empty database. Close stops it. The error wraps [ErrNotFound] if
// the server binaries are not installed.
func New(ctx context.Context) (*Server, error) { return open(ctx, "") }

// Serve starts a server for a local run. Its data stay in dir and are used by the next call. If
// root starts the server and its account has no access to dir, they are in the temporary
// directory instead: see Data. The server also stops when this process ends. ctx limits the
// start.
func Serve(ctx context.Context, dir string) (*Server, error) { return open(ctx, dir) }

func open(ctx context.Context, dir string) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	account, err := unprivileged()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, account: account, template: "template1"}
	if err := s.prepare(dir); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.initialize(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.Restart(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// prepare creates the directories and the watcher that removes them.
func (s *Server) prepare(dir string) error {
	base := os.TempDir()
	if len(base) > socketPathLimit-len("/postgres-0123456789") {
		base = "/tmp"
	}
	var err error
	if s.temp, err = os.MkdirTemp(base, "postgres-"); err != nil {
		return err
	}
	s.URL = s.url("postgres")
	if err := s.account.own(s.temp); err != nil {
		return err
	}
	s.Data = filepath.Join(s.temp, "data")
	if s.kept = dir != ""; s.kept {
		if s.Data, err = s.keep(dir); err != nil {
			return err
		}
	}
	if err := os.Mkdir(s.Data, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := s.account.own(s.Data); err != nil {
		return err
	}
	s.watcher, err = watch(s.Data, s.temp)
	return err
}

// keep returns the directory for data that stay. If root starts the server, it runs as another
// account, which may have no access to root's directories; the data are then in the temporary
// directory, under a name derived from dir.
func (s *Server) keep(dir string) (data string, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if s.account.enters(dir) {
		return filepath.Join(dir, "data"), nil
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(os.TempDir(), "postgres-data-"+hex.EncodeToString(sum[:8])), nil
}

// initialize creates the database cluster unless it exists.
func (s *Server) initialize(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(s.Data, "PG_VERSION")); err == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, s.bin.path("initdb"), "--pgdata="+s.Data, "--username="+superuser,
		"--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
	detach(cmd, s.account)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("create a database in %s: %w\n%s", s.Data, err, bytes.TrimSpace(out))
	}
	return nil
}

// Restart starts the server again after [Server.Stop], with the same address and data. It returns
// when the server accepts connections.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return errors.New("the server is running; stop it first")
	}
	p, err := s.launch()
	if err != nil {
		return err
	}
	s.process = p
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.awaitReady(ctx, p); err != nil {
		log, _ := os.ReadFile(s.logName()) // best effort
		if bytes.Contains(log, []byte(`"postmaster.pid" already exists`)) {
			return fmt.Errorf("data directory %s is in use by another PostgreSQL, probably another run of this service; stop it first\n%s", s.Data, bytes.TrimSpace(log))
		}
		return fmt.Errorf("start PostgreSQL from %s: %w\n%s", s.bin, err, bytes.TrimSpace(log))
	}
	return nil
}

// launch starts the postmaster. It does not sync to disk: data may be lost if the machine
// crashes, but survive all other crashes.
func (s *Server) launch() (*process, error) {
	log, err := os.Create(s.logName())
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the child has its own copy
	commit := "synchronous_commit=off"
	if s.kept {
		commit = "synchronous_commit=on"
	}
	cmd := exec.Command(s.bin.path("postgres"), "-D", s.Data, "-k", s.temp, "-p", port, "-c", "listen_addresses=", //nolint:noctx // outlives the context of its start
		"-c", "fsync=off", "-c", commit, "-c", "full_page_writes=off",
		"-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "shared_buffers=16MB", "-c", "max_connections=500")
	cmd.Stdout, cmd.Stderr = log, log
	detach(cmd, s.account)
	dieWithParent(cmd)

	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The signal at a parent's death is that of the thread that forked. This thread stays
		// until the server has ended.
		goruntime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the log has the reason
		}
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start PostgreSQL from %s: %w", s.bin, err)
	}
	return p, nil
}

func (s *Server) awaitReady(ctx context.Context, p *process) error {
	for {
		conn, err := pgx.Connect(ctx, s.URL)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-p.exited:
			return errors.New("the server exited during startup")
		case <-ctx.Done():
			return fmt.Errorf("the server accepts no connection: %w", err)
		case <-time.After(pollInterval):
		}
	}
}

// Stop stops the server and terminates sessions.
func (s *Server) Stop() error { return s.end(fast) }

// Pause freezes the server: its address and connections remain, and nothing responds.
func (s *Server) Pause() error {
	return s.running(func(p *process) error {
		p.paused = true
		return pause(p.cmd.Process.Pid)
	})
}

// Resume ends a pause.
func (s *Server) Resume() error {
	return s.running(func(p *process) error {
		p.paused = false
		return resume(p.cmd.Process.Pid)
	})
}

func (s *Server) running(do func(*process) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return errors.New("the server is not running; start it with Restart")
	}
	return do(s.process)
}

func (s *Server) end(how os.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.process
	if p == nil {
		return nil
	}
	s.process = nil
	_ = p.cmd.Process.Signal(how) // it may have ended
	if p.paused {
		if err := resume(p.cmd.Process.Pid); err != nil {
			return err
		}
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopTimeout):
	}
	_ = p.cmd.Process.Signal(immediate)
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	return nil
}

// Close stops the server and removes its files.
func (s *Server) Close() error {
	how := os.Signal(immediate)
	if s.kept {
		how = fast
	}
	err := s.end(how)
	if s.watcher != nil {
		err = errors.Join(err, s.watcher.end())
		s.watcher = nil
	}
	if s.temp != "" {
		err = errors.Join(err, os.RemoveAll(s.temp))
	}
	return err
}

// Template prepares a database once, for example with migrations. [Server.Database] then returns
// copies of it, which takes tens of milliseconds. All connections to it must be closed when
// prepare returns. Call Template before the first Database.
func (s *Server) Template(ctx context.Context, prepare func(ctx context.Context, url string) error) error {
	const name = "prepared"
	if err := s.exec(ctx, "CREATE DATABASE "+name); err != nil {
		return fmt.Errorf("create the template: %w", err)
	}
	if err := prepare(ctx, s.url(name)); err != nil {
		return fmt.Errorf("prepare the template: %w", err)
	}
	s.template = name
	return nil
}

func (s *Server) create(ctx context.Context) (string, error) {
	name := "test_" + strconv.FormatInt(s.databases.Add(1), 10)
	if err := s.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+s.template); err != nil {
		return "", fmt.Errorf("create database %s: %w", name, err)
	}
	return name, nil
}

func (s *Server) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

func (s *Server) url(database string) string {
	query := url.Values{"host": {s.temp}, "port": {port}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + database, RawQuery: query.Encode()}
	return u.String()
}

func (s *Server) logName() string { return filepath.Join(s.temp, "log") }
