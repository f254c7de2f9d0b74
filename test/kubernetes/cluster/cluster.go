package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Cluster is a control plane that runs until its test ends.
type Cluster struct {
	// URL is that of the API server. Kubeconfig is a file with administrator
	// permissions.
	URL, Kubeconfig string
	Programs        Programs

	token string
	http  *http.Client
	dir   string
	uid   int // user of the programs; 0 is the user of the test

	running   []*program
	resources sync.Map // API version to metav1.APIResourceList
}

// nobody is the uid of the programs if root runs the test.
const nobody = 65534

// New builds missing programs, and runs a control plane until the test ends.
// [Cluster.Namespace] creates namespaces, [Cluster.Kubelet] starts a kubelet.
func New(tb testing.TB) *Cluster {
	tb.Helper()
	programs, err := Build(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	// Another program may take a free port first; another attempt finds other ports.
	for attempt := 1; ; attempt++ {
		c := &Cluster{Programs: programs}
		err := c.start(tb.Context())
		if err == nil {
			tb.Cleanup(func() {
				if died := c.stop(); died != nil {
					tb.Error(died)
				}
			})
			return c
		}
		_ = c.stop() // err already has the programs that ended
		if attempt == 3 || !strings.Contains(err.Error(), "address already in use") {
			tb.Fatal(err)
		}
	}
}

func (c *Cluster) start(ctx context.Context) (err error) {
	// Not tb.TempDir: other users have no access to it.
	if c.dir, err = os.MkdirTemp("", "kubernetes-"); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		c.uid = nobody
	}
	if err := c.prepare(); err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	etcd, peer := "http://"+ports[0], "http://"+ports[1]
	store, err := c.run("etcd", "--data-dir="+c.file("data"), "--unsafe-no-fsync", "--logger=zap", "--log-level=warn",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer)
	if err != nil {
		return err
	}
	if err := store.until(ctx, "etcd is healthy", func(ctx context.Context) error { return ok(ctx, http.DefaultClient, etcd+"/health", "") }); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(ports[2])
	if err != nil {
		return err
	}
	c.URL = "https://" + ports[2]
	server, err := c.run("kube-apiserver", "--etcd-servers="+etcd, "--bind-address=127.0.0.1", "--secure-port="+port,
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--cert-dir="+c.dir, "--authorization-mode=RBAC",
		"--token-auth-file="+c.file("tokens.csv"), "--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+c.file("accounts.pem"),
		"--service-account-signing-key-file="+c.file("accounts.pem"))
	if err != nil {
		return err
	}
	if err := server.until(ctx, "the API server is ready", c.ready); err != nil {
		return err
	}
	c.Kubeconfig = c.file("kubeconfig")
	if err := c.writeKubeconfig(); err != nil {
		return err
	}
	// No node sends heartbeats, so the controllers that taint nodes and evict
	// their pods are disabled.
	_, err = c.run("kube-controller-manager", "--kubeconfig="+c.Kubeconfig, "--leader-elect=false", "--secure-port=0",
		"--controllers=*,-node-lifecycle-controller,-taint-eviction-controller", "--service-account-private-key-file="+c.file("accounts.pem"),
		"--horizontal-pod-autoscaler-sync-period=1s")
	return err
}

// stop kills the programs in reverse order; a graceful shutdown of the API
// server takes two minutes. It returns an error for programs that ended before.
func (c *Cluster) stop() (died error) {
	for _, p := range slices.Backward(c.running) {
		select {
		case <-p.ended:
			died = errors.Join(died, fmt.Errorf("%s ended before its test:\n%s", p.name, p.tail()))
		default:
			_ = p.process.Kill() // the error is that it has just ended
			<-p.ended
		}
	}
	if c.dir == "" {
		return died
	}
	return errors.Join(died, os.RemoveAll(c.dir))
}

func (c *Cluster) file(name string) string { return filepath.Join(c.dir, name) }

// prepare writes the input files of the programs, and changes the owner of the
// directory to their user.
func (c *Cluster) prepare() error {
	token := make([]byte, 16)
	if _, err := rand.Read(token); err != nil {
		return err
	}
	c.token = hex.EncodeToString(token)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"tokens.csv":   []byte(c.token + ",admin,admin,system:masters\n"),
		"accounts.pem": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}),
	}
	for name, data := range files {
		if err := c.write(name, data); err != nil {
			return err
		}
	}
	return c.chown(c.dir)
}

func (c *Cluster) write(name string, data []byte) error {
	return errors.Join(os.WriteFile(c.file(name), data, 0o600), c.chown(c.file(name)))
}

func (c *Cluster) chown(path string) error {
	if c.uid == 0 {
		return nil
	}
	return os.Chown(path, c.uid, c.uid)
}

// writeKubeconfig trusts the self-signed certificate of the server.
func (c *Cluster) writeKubeconfig() error {
	return c.write("kubeconfig", fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: admin, user: {token: %q}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
`, c.URL, c.file("apiserver.crt"), c.token))
}

// ready reads the certificate, which the server creates when it starts, and
// requests /readyz.
func (c *Cluster) ready(ctx context.Context) error {
	if c.http == nil {
		data, err := os.ReadFile(c.file("apiserver.crt"))
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(data) {
			return errors.New("apiserver.crt is not complete")
		}
		c.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}}
	}
	return ok(ctx, c.http, c.URL+"/readyz", c.token)
}

func ok(ctx context.Context, client *http.Client, url, token string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		body, err := io.ReadAll(res.Body)
		return errors.Join(fmt.Errorf("%s: %s", res.Status, body), err)
	}
	return nil
}

// program is a running program.
type program struct {
	name    string
	log     string
	process *os.Process
	ended   chan struct{}
}

func (c *Cluster) run(name string, args ...string) (*program, error) {
	path, err := c.reachable(name)
	if err != nil {
		return nil, err
	}
	p := &program{name: name, log: c.file(name + ".log"), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...) //nolint:noctx // stop ends it
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = c.dir, log, log, childAttr(c.uid)
	cmd.Env = []string{"HOME=" + c.dir, "PATH=" + os.Getenv("PATH")}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	p.process = cmd.Process
	c.running = append(c.running, p)
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // stop kills it, so an error is expected
		_ = log.Close()
	}()
	return p, nil
}

// reachable links or copies the program into the cluster's directory, since its
// user has no access to a cache below the home of root.
func (c *Cluster) reachable(name string) (string, error) {
	if c.uid == 0 {
		return c.Programs.Path(name), nil
	}
	if err := os.Link(c.Programs.Path(name), c.file(name)); err == nil {
		return c.file(name), nil
	}
	data, err := os.ReadFile(c.Programs.Path(name))
	if err != nil {
		return "", err
	}
	return c.file(name), os.WriteFile(c.file(name), data, 0o755) //nolint:gosec // programs are executable
}

// until waits until the check returns nil, at most two minutes.
func (p *program) until(ctx context.Context, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended before %s:\n%s", p.name, what, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("two minutes passed before %s: %w\n%s", what, err, p.tail())
		case <-tick.C:
		}
	}
}

// tail returns the last 4 KiB of the log.
func (p *program) tail() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-4096):])
}

// freePorts returns addresses on loopback. The programs cannot choose their
// ports, since the arguments of others contain them.
func freePorts(n int) ([]string, error) {
	var found []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // after the last, so that all ports differ
		found = append(found, l.Addr().String())
	}
	return found, nil
}
