package image

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// largestImage is the maximum size of an image in bytes.
const largestImage = 25e6

func packedImage(t *testing.T, dir string) v1.Image {
	t.Helper()
	image, err := tarball.ImageFromPath(filepath.Join(dir, "bin", "orders-image.tar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestTheImageHasOnlyTheExpectedFiles(t *testing.T) {
	t.Parallel()
	dir := orders(t)
	root := t.TempDir()
	want := []string{
		"bin -rwxr-xr-x 0:0 1970",
		"bin/orders -rwxr-xr-x 0:0 1970",
		"etc -rwxr-xr-x 0:0 1970",
		"etc/ssl -rwxr-xr-x 0:0 1970",
		"etc/ssl/certs -rwxr-xr-x 0:0 1970",
		"etc/ssl/certs/ca-certificates.crt -rw-r--r-- 0:0 1970",
	}
	got := unpack(t, packedImage(t, dir), root)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(filepath.Join(dir, "bin", "orders-image.tar"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > largestImage {
		t.Errorf("the image has %.1f MB, want at most %.0f", float64(info.Size())/1e6, largestImage/1e6)
	}
	t.Logf("%.1f MB", float64(info.Size())/1e6)
	subjects := authorities(t, read(t, root, "etc/ssl/certs/ca-certificates.crt"))
	if len(subjects) < 100 || !slices.ContainsFunc(subjects, func(s string) bool { return strings.Contains(s, "ISRG Root X1") }) {
		t.Errorf("%d certificate authorities, want at least 100 with ISRG Root X1: %v", len(subjects), subjects)
	}
}

// authorities returns the subjects of a PEM file. All certificates must be valid
// certificate authorities.
func authorities(t *testing.T, data []byte) []string {
	t.Helper()
	var subjects []string
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return subjects
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !cert.IsCA || time.Now().After(cert.NotAfter) {
			t.Errorf("no valid certificate authority: %+v, %v", cert.Subject, err)
		}
		subjects, data = append(subjects, cert.Subject.String()), rest
	}
}

// The builds differ in directory, modification times, time zone and build cache.
func TestTwoBuildsGiveOneDigest(t *testing.T) {
	t.Parallel()
	first := orders(t)
	elsewhere := filepath.Join(t.TempDir(), "deep", "below")
	for _, part := range []string{"runtime", "orders"} {
		if err := os.CopyFS(filepath.Join(elsewhere, part), os.DirFS(filepath.Join(workDir, part))); err != nil {
			t.Fatal(err)
		}
	}
	second := filepath.Join(elsewhere, "orders")
	if err := os.RemoveAll(filepath.Join(second, "bin")); err != nil {
		t.Fatal(err)
	}
	old := time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(second, "go.mod"), old, old); err != nil {
		t.Fatal(err)
	}
	run(t, second, []string{"GOCACHE=" + t.TempDir(), "TZ=Asia/Tokyo"}, "make", "image", "sbom")
	if a, b := digestOf(t, first), digestOf(t, second); a != b || !strings.HasPrefix(a, "sha256:") {
		t.Errorf("digests %s and %s", a, b)
	}
	for _, file := range []string{"orders-image.tar", "sbom.json", "licenses.txt"} {
		if !bytes.Equal(read(t, first, "bin", file), read(t, second, "bin", file)) {
			t.Errorf("%s differs", file)
		}
	}
	// Another version or SOURCE_DATE_EPOCH is another image.
	run(t, second, nil, "make", "image", "VERSION=v2")
	changed := digestOf(t, second)
	run(t, second, []string{"SOURCE_DATE_EPOCH=1700000000"}, "make", "image", "VERSION=v2")
	if dated := digestOf(t, second); changed == digestOf(t, first) || dated == changed {
		t.Errorf("digest %s with another version, %s with another time; want all to differ", changed, dated)
	}
}

// The usual case: a pipeline and a laptop each have a clone of the same commit.
func TestTwoClonesOfACommitGiveOneDigest(t *testing.T) {
	t.Parallel()
	home, origin := t.TempDir(), filepath.Join(t.TempDir(), "origin")
	git := func(dir string, args ...string) string {
		return strings.TrimSpace(run(t, dir, []string{"HOME=" + home, "GIT_CONFIG_NOSYSTEM=1"}, "git", append([]string{"-c", "user.name=t", "-c", "user.email=t@acme.test"}, args...)...))
	}
	for _, part := range []string{"runtime", "orders"} {
		orders(t)
		if err := os.CopyFS(filepath.Join(origin, part), os.DirFS(filepath.Join(workDir, part))); err != nil {
			t.Fatal(err)
		}
	}
	git(origin, "init", "--quiet")
	git(origin, "add", "--all")
	git(origin, "commit", "--quiet", "--message", "Take orders")
	commit := git(origin, "rev-parse", "HEAD")

	var digests []string
	for _, who := range []string{"laptop", "pipeline"} {
		clone := filepath.Join(t.TempDir(), who)
		git(filepath.Dir(clone), "clone", "--quiet", origin, clone)
		dir := filepath.Join(clone, "orders")
		run(t, dir, []string{"GOFLAGS=-buildvcs=true"}, "make", "image") // the user's environment may disable it
		digests = append(digests, digestOf(t, dir))
		config, err := packedImage(t, dir).ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if got := config.Config.Labels["org.opencontainers.image.revision"]; got != commit || config.Created.Unix() == 0 {
			t.Errorf("the image has the revision %q, created %s; want %q and the time of the commit", got, config.Created, commit)
		}
		if changed := git(clone, "status", "--porcelain"); changed != "" {
			t.Errorf("make image changed the clone:\n%s", changed)
		}
	}
	if digests[0] != digests[1] || digests[0] == digestOf(t, orders(t)) {
		t.Errorf("digests %v, want the same for both clones, and another one without a commit", digests)
	}
}

// The program needs no other files than those of the read-only image.
func TestTheImageRunsAlone(t *testing.T) {
	t.Parallel()
	image := packedImage(t, orders(t))
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" {
		t.Errorf("the user of the image is %q, want 65532:65532", config.Config.User)
	}
	for zone, want := range map[string]string{"Europe/Berlin": "+01:00 +02:00", "Asia/Tokyo": "+09:00", "Nowhere/AtAll": "Z"} {
		root := t.TempDir()
		unpack(t, image, root)
		p := inImage(t, root, config.Config.Entrypoint[0], "HTTP_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "TZ="+zone)
		started := p.line("service started")
		res, err := http.Get("http://" + started["http_addr"].(string) + "/v1/orders")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("GET /v1/orders: %s", res.Status)
		}
		logged := started["time"].(string)
		if !slices.ContainsFunc(strings.Fields(want), func(suffix string) bool { return strings.HasSuffix(logged, suffix) }) {
			t.Errorf("in %s the service logs the time %s, want %s", zone, logged, want)
		}
		p.stop(waitTimeout)
	}
}

// The service verifies TLS servers with the certificate authorities of the image
// only.
func TestTheImageVerifiesTLSServers(t *testing.T) {
	t.Parallel()
	image := packedImage(t, orders(t))
	for _, known := range []bool{false, true} {
		collector := newTLSCollector(t)
		root := t.TempDir()
		unpack(t, image, root)
		if known {
			roots := filepath.Join(root, "etc/ssl/certs/ca-certificates.crt")
			own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: collector.server.Certificate().Raw})
			if err := os.WriteFile(roots, append(read(t, roots), own...), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(roots, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		p := inImage(t, root, "/bin/orders", "HTTP_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0",
			"OTEL_EXPORTER_OTLP_ENDPOINT="+collector.server.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
			"OTEL_METRICS_EXPORTER=otlp", "METRICS_PUSH_INTERVAL=1s")
		p.line("service started")
		select {
		case <-collector.received:
			if !known {
				t.Error("the service sent telemetry to a server with an unknown authority")
			}
		case reason := <-collector.rejected:
			if known || !strings.Contains(reason, "tls: ") {
				t.Errorf("known authority %v: the service rejected the server: %s", known, reason)
			}
		case <-time.After(waitTimeout):
			t.Errorf("known authority %v: nothing was sent", known)
		}
		p.stop(waitTimeout)
	}
}

// tlsCollector reports the path of the first request, or the first TLS error.
type tlsCollector struct {
	server   *httptest.Server
	received chan string
	rejected chan string
}

func newTLSCollector(t *testing.T) *tlsCollector {
	t.Helper()
	c := &tlsCollector{received: make(chan string, 1), rejected: make(chan string, 1)}
	c.server = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		offer(c.received, r.URL.Path)
	}))
	c.server.Config.ErrorLog = log.New(lineWriter(func(line string) { offer(c.rejected, line) }), "", 0)
	c.server.StartTLS()
	t.Cleanup(c.server.Close)
	return c
}

func offer(c chan string, s string) {
	select {
	case c <- s:
	default:
	}
}

type lineWriter func(string)

func (w lineWriter) Write(p []byte) (int, error) { w(string(p)); return len(p), nil }

func TestTheImageIsPushedToARegistry(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "orders")
	if err := os.CopyFS(dir, os.DirFS(orders(t))); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	repository := strings.TrimPrefix(server.URL, "http://") + "/shop/orders"
	// In the original directory, since the replaced runtime is relative to it.
	run(t, orders(t), nil, "scaffold", "image", "bin/linux-amd64/orders", "--tag", repository+":v1.4.2", "--push", "--digest", filepath.Join(dir, "pushed"))
	tag, err := name.NewTag(repository + ":v1.4.2")
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(pulled); err != nil {
		t.Error(err)
	}
	digest, err := pulled.Digest()
	if want := strings.TrimSpace(string(read(t, dir, "pushed"))); err != nil || digest.String() != want {
		t.Errorf("the registry has %s, want %s (%v)", digest, want, err)
	}
}

func TestARejectedPushSaysWhatToDo(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"not logged in", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="shop"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, "log in as a user with write access (docker login 127.0.0.1:"},
		{"no write access", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				w.WriteHeader(http.StatusForbidden)
			}
		}, "log in as a user with write access (docker login 127.0.0.1:"},
		{"unexpected status", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				w.WriteHeader(http.StatusTeapot)
			}
		}, "push 127.0.0.1:"},
		{"no registry", nil, "connection refused"},
	} {
		server := closed
		if tt.handler != nil {
			server = httptest.NewServer(tt.handler)
			t.Cleanup(server.Close)
		}
		tag := strings.TrimPrefix(server.URL, "http://") + "/shop/orders:v1"
		digest := filepath.Join(t.TempDir(), "digest")
		out, err := try(t.Context(), orders(t), nil, "scaffold", "image", "bin/linux-amd64/orders", "--tag", tag, "--push", "--digest", digest)
		if err == nil || !strings.Contains(out, tt.want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %v, want %q in one line:\n%s", tt.name, err, tt.want, out)
		}
		if _, err := os.Stat(digest); err == nil {
			t.Errorf("%s: the digest was written although the push failed", tt.name)
		}
	}
}
