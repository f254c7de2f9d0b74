// Package chromium opens drawn dashboards in Chromium, as a reader does.
package chromium

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/observability-first/scaffold/dashboards/render"
)

// screens are the sizes at which each page is opened.
func screens() map[string][2]int64 {
	return map[string][2]int64{"1280": {1280, 900}, "1600": {1600, 900}, "phone": {360, 740}}
}

func TestPagesInChromium(t *testing.T) {
	browser := start(t)
	for _, theme := range []string{"dark", "light"} {
		for name, page := range pages(t, theme == "light") {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				_, _ = w.Write(page)
			}))
			for screen, size := range screens() {
				t.Run(name+"/"+theme+"/"+screen, func(t *testing.T) { look(t, browser, server.URL, size, name+"-"+theme+"-"+screen) })
			}
			server.Close()
		}
	}
}

// start starts Chromium without a window.
func start(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU) // root in a container has no sandbox
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	browser, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(closeBrowser)
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("start Chromium (Debian: apt-get install chromium): %v", err)
	}
	return browser
}

// look opens a page and reports errors on its console, content that is wider than the screen, and text that
// cannot be selected. It keeps a screenshot.
func look(t *testing.T, browser context.Context, address string, size [2]int64, name string) {
	tab, closeTab := chromedp.NewContext(browser)
	defer closeTab()
	tab, cancel := context.WithTimeout(tab, time.Minute)
	defer cancel()
	if err := chromedp.Do(tab); err != nil {
		t.Fatal(err)
	}
	console := make(chan []string)
	listening, stop := context.WithCancel(tab)
	defer stop()
	messages := chromedp.Console(listening)
	go func() {
		var out []string
		for m, err := range messages {
			if err != nil {
				break // the end
			}
			out = append(out, string(m.Type)+": "+m.Text)
		}
		console <- out
	}()
	if err := chromedp.Do(tab, chromedp.EmulateViewport(size[0], size[1]), chromedp.Navigate(address), chromedp.WaitReady("svg")); err != nil {
		t.Fatal(err)
	}
	width := ask[int64](t, tab, `document.documentElement.scrollWidth`)
	texts := ask[int](t, tab, `[...document.querySelectorAll("text")].filter(e => e.getClientRects().length > 0).length`)
	selected := ask[string](t, tab, `getSelection().selectAllChildren(document.body), getSelection().toString()`)
	ask[string](t, tab, `getSelection().removeAllRanges(), ""`)
	picture, err := chromedp.Run(tab, chromedp.FullScreenshot(80))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	for _, text := range <-console {
		t.Errorf("console: %s", text)
	}
	if width > size[0] {
		t.Errorf("the page is %d pixels wide on a screen of %d", width, size[0])
	}
	const least = 50
	if texts < least || !strings.Contains(selected, "orders") {
		t.Errorf("%d texts are visible, selected: %.100q", texts, selected)
	}
	keep(t, name+".jpg", picture)
}

// ask evaluates an expression in the page.
func ask[T any](t *testing.T, tab context.Context, expression string) T {
	t.Helper()
	value, err := chromedp.Run(tab, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// keep writes a screenshot below the directory in SCREENSHOTS, or that of the test.
func keep(t *testing.T, name string, picture []byte) {
	t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		dir = t.ArtifactDir()
	}
	if err := os.WriteFile(filepath.Join(dir, name), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// pages draws dashboards with recorded results.
func pages(t *testing.T, light bool) map[string][]byte {
	t.Helper()
	const recorded = "../../dashboards/render/testdata/e1cf93e/"
	out := map[string][]byte{}
	for recording, dashboard := range map[string]string{"overview-incident": "orders-overview", "runtime-locks": "orders-runtime", "slo-incident": "orders-slo"} {
		snapshot, err := render.ReadSnapshot(recording, unpack(t, recorded+recording+".snapshot.json.gz"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := render.Dashboard(t.Context(), dashboard, unpack(t, recorded+dashboard+".json.gz"), snapshot.Source(), render.Options{
			From: snapshot.From, To: snapshot.To, Location: time.UTC, Light: light,
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Problems) > 0 {
			t.Fatalf("%s: %q", recording, p.Problems)
		}
		var page bytes.Buffer
		if err := p.HTML(&page); err != nil {
			t.Fatal(err)
		}
		out[dashboard] = page.Bytes()
	}
	return out
}

func unpack(t *testing.T, file string) []byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
