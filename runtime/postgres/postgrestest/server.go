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
	port      = "5432" // part of the socket's name only

	// startTimeout is far beyond the second that a start takes, for machines
	// that are busy with other tests.
	startTimeout = time.Minute
	// stopTimeout is how long sessions get to end before the server is ended as
	// in a crash.
	stopTimeout = 10 * time.Second
	// pollInterval is the time between two attempts to connect to a server that
	// is starting.
	pollInterval = 10 * time.Millisecond
	// socketPathLimit is the longest directory that leaves room for the socket's
	// name in sockaddr_un, whose shortest form (macOS) has 104 bytes.
	socketPathLimit = 80
)

// Server is one running PostgreSQL. Its methods are safe for concurrent use.
type Server struct {
	// URL connects to the server's first database, which is empty.
	URL string
	// Data is the directory of its data.
	Data string

	bin     binaries
	account *account
	temp    string // holds socket and log, and the data of a throw-away server
	kept    bool   // the data outlive the server
	watcher *watcher

	databases atomic.Int64
	template  string

	mu      sync.Mutex
	process *process // nil while stopped
}

// process is one run of the postmaster.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	paused bool
}

// New starts a server with an empty database. Close ends it. The error is
// [ErrNotFound] when the machine has no server binaries.
func New(ctx context.Context) (*Server, error) { return open(ctx, "") }

// Serve starts a server for a developer's run. Its data stay in dir, and the next call with
// the same dir finds them again. Where root starts the server and its account may not enter
// dir, they stay in the temporary directory instead: see Data. The server also stops when this
// process ends. ctx bounds the start.
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
	if err := s.initialise(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.Restart(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// prepare makes the directories and the watcher that removes them.
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

// keep chooses where data that stay are kept. A server that root starts runs as
// another account, which may not be let into root's folders; its data are then
// in the temporary directory, under a name made from the folder's.
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

// initialise makes the first database, unless there is one from an earlier run.
func (s *Server) initialise(ctx context.Context) error {
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

// Restart starts the server again after [Server.Stop], at the same address and
// with the same data. It returns when the server answers.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return errors.New("the server runs; stop it first")
	}
	p, err := s.launch()
	if err != nil {
		return err
	}
	s.process = p
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.awaitReady(ctx, p); err != nil {
		log, _ := os.ReadFile(s.logName()) // what there is of it
		if bytes.Contains(log, []byte(`"postmaster.pid" already exists`)) {
			return fmt.Errorf("data directory %s is in use by another PostgreSQL, probably another run of this service; stop it first\n%s", s.Data, bytes.TrimSpace(log))
		}
		return fmt.Errorf("start PostgreSQL from %s: %w\n%s", s.bin, err, bytes.TrimSpace(log))
	}
	return nil
}

// launch starts the postmaster. Nothing is ever synced to the disk: the data are
// worth nothing after a crash of the machine. Data that are kept survive every
// other crash.
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
		// The signal of a parent's death is that of the thread that forked. This
		// one stays until the server has ended, and ends with the goroutine.
		goruntime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start PostgreSQL from %s: %w", s.bin, err)
	}
	return p, nil
}

// awaitReady waits until the server accepts connections.
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

// Stop ends the server as an operator would; sessions are cut off.
func (s *Server) Stop() error { return s.end(fast) }

// Pause freezes the server: its address stays, connections stay, and nothing
// answers, as on a machine that is starved or cut off.
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
		return errors.New("the server does not run; start it with Restart")
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
	_ = p.cmd.Process.Signal(how) // it may have ended by itself
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

// Close ends the server and removes what it left.
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

// Template prepares a database once, by migrating it for example; what
// [Server.Database] makes from then on are copies of it, which takes some tens
// of milliseconds. All connections to it must be closed when prepare returns.
// Call it before the first Database.
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

// create makes a database and returns its name.
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
