package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/observability-first/scaffold/internal/source/httpfile"
	"github.com/observability-first/scaffold/internal/source/openapi"
)

const (
	// maxIdle is the maximum number of idle connections: one for each caller.
	maxIdle = 16
	// answerWithin limits one request; the service's own deadline is shorter.
	answerWithin = 40 * time.Second
	maxAnswer    = 1 << 20
)

// manner is how a request should end.
type manner string

const (
	well    manner = ""      // as documented
	wrongly manner = "wrong" // with a client error, because the request is invalid
	failing manner = "error" // with a server error, by fault injection
	shedded manner = "shed"  // rejected, by fault injection
	slowly  manner = "delay" // successfully, but too late for the latency objective
	busily  manner = "cpu"   // successfully, with enough CPU time for a CPU profile
)

// succeeds reports whether the request should succeed.
func (m manner) succeeds() bool { return m == well || m == slowly || m == busily }

// busyFor is the time of three samples of a CPU profile, which takes 100 per second.
const busyFor = 30 * time.Millisecond

// faultHeader selects the fault that a build with fault injection injects.
const faultHeader = "Scaffold-Fault"

// driver sends requests to the service.
type driver struct {
	base   string
	doc    openapi.Document
	routes []string      // declared by the service, such as "GET /v1/orders"
	file   httpfile.File // the user's requests
	slow   time.Duration
	client *http.Client
	waited atomic.Int64 // nanoseconds from a request to the end of its response, summed over all requests
	seen   responses

	mu       sync.Mutex
	sent     int
	problems map[string]string // the last unexpected response, by route
	wrong    map[string]bool   // routes for which an invalid request can be generated
}

func newDriver(base string, doc openapi.Document, routes []string, file httpfile.File, slow time.Duration) *driver {
	return &driver{
		base: base, doc: doc, routes: routes, file: file, slow: slow, seen: responses{routes: routes}, problems: map[string]string{}, wrong: map[string]bool{},
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: maxIdle},
			Timeout:       answerWithin,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// mix is a set of parallel callers: one for each manner, with a pause between two requests.
type mix struct {
	manners []manner
	think   time.Duration
	// breaks adds a caller whose requests to one route fail, so that this route fails more than the others.
	breaks bool
}

// drive sends requests to every operation until the context ends.
func (d *driver) drive(ctx context.Context, m mix) {
	var wg sync.WaitGroup
	for _, how := range m.manners {
		wg.Go(func() {
			c := caller{driver: d, members: map[string]member{}}
			again := d.needsFile()
			for ctx.Err() == nil {
				c.round(ctx, how, m.think)
				if again {
					c.fileAgain(ctx, how, m.think)
				}
			}
		})
	}
	if m.breaks {
		wg.Go(func() { d.breakOne(ctx) })
	}
	wg.Wait()
}

// count numbers requests, so that generated texts are unique.
func (d *driver) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent++
	return d.sent
}

func (d *driver) note(route, problem string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.problems[route] = problem
}

func (d *driver) canBeWrong(route string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrong[route] = true
}

// order returns the operations in an order in which they can succeed: resources are created before they are
// read and changed, and children are deleted before their parents. Operations that are not implemented are left out.
func (d *driver) order() []openapi.Operation {
	out := slices.DeleteFunc(slices.Clone(d.doc.Operations), openapi.Operation.IsUnimplemented)
	for _, route := range d.routes {
		method, path, _ := strings.Cut(route, " ")
		if _, known := d.doc.Find(method, path); !known && method == http.MethodGet && !strings.Contains(path, "{") {
			out = append(out, openapi.Operation{Method: method, Path: path})
		}
	}
	stage := func(o openapi.Operation) int {
		depth := strings.Count(o.Path, "/")
		switch o.Method {
		case http.MethodPost:
			return 4 * depth
		case http.MethodDelete:
			return 1000 - depth
		case http.MethodGet, http.MethodHead:
			return 4*depth + 1
		}
		return 4*depth + 2
	}
	slices.SortStableFunc(out, func(a, b openapi.Operation) int { return stage(a) - stage(b) })
	return out
}

// member is a resource that a caller has created.
type member struct{ id, etag string }

// caller sends requests to the operations, independently of other callers.
type caller struct {
	*driver
	members map[string]member // by the path of their collection
}

// round calls every operation once. Operations that create or delete are also sent successfully, because
// other requests depend on them.
func (c *caller) round(ctx context.Context, how manner, think time.Duration) {
	for _, op := range c.order() {
		if ctx.Err() != nil {
			return
		}
		c.call(ctx, op, how)
		if !how.succeeds() && (how == wrongly || op.Method == http.MethodPost || op.Method == http.MethodDelete) {
			c.call(ctx, op, well)
		}
		pause(ctx, think)
	}
}

// call sends one operation. Requests are not canceled at the end of the drive: the service would count that
// as a client error.
func (c *caller) call(ctx context.Context, op openapi.Operation, how manner) {
	req, ok := c.request(context.WithoutCancel(ctx), op, how)
	if !ok {
		return
	}
	status, header, body, err := c.send(req)
	switch {
	case err != nil:
		c.note(op.Key(), err.Error())
	case how == wrongly && (status < 400 || status >= 500):
		c.note(op.Key(), fmt.Sprintf("an invalid request gets status %d: %s", status, firstLine(body)))
	case how.succeeds() && status >= 300:
		c.note(op.Key(), fmt.Sprintf("answers %d: %s", status, firstLine(body)))
	case how.succeeds():
		c.remember(op, header, body)
	}
}

func (d *driver) send(req *http.Request) (status int, header http.Header, body []byte, err error) {
	began, simulated := time.Now(), d.seen.time()
	defer func() {
		d.waited.Add(int64(time.Since(began)))
		d.seen.add(req, simulated, status, err)
	}()
	res, err := d.client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, res.Header, body, err
}

// request generates a request. ok is false if there is none for the manner.
func (c *caller) request(ctx context.Context, op openapi.Operation, how manner) (req *http.Request, ok bool) {
	n := c.count()
	p := draft{path: op.Path, query: url.Values{}, header: http.Header{}}
	for _, param := range op.Params {
		c.fill(&p, op, param, n)
	}
	if op.Body != nil {
		p.body = op.ValidBody(n)
	}
	if how == wrongly && !p.spoil(op) {
		return nil, false
	}
	if how == wrongly {
		c.canBeWrong(op.Key())
	}
	address := c.base + p.path
	if len(p.query) > 0 {
		address += "?" + p.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, op.Method, address, bytes.NewReader(p.body))
	if err != nil {
		c.note(op.Key(), err.Error())
		return nil, false
	}
	req.Header = p.header
	if p.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	c.ask(req, how)
	return req, true
}

// ask sets the header that requests the fault of the manner.
func (d *driver) ask(req *http.Request, how manner) {
	switch how {
	case failing, shedded:
		req.Header.Set(faultHeader, string(how))
	case slowly:
		req.Header.Set(faultHeader, "delay="+d.slow.String())
	case busily:
		req.Header.Set(faultHeader, "cpu="+busyFor.String())
	}
}

// draft is a request that is being generated.
type draft struct {
	path   string
	query  url.Values
	header http.Header
	body   []byte
}

// fill sets a parameter: the id of a created resource in a path, its current version in If-Match, and a value
// from the schema if the parameter is required.
func (c *caller) fill(p *draft, op openapi.Operation, param openapi.Param, n int) {
	switch {
	case param.In == "path":
		p.path = strings.ReplaceAll(p.path, "{"+param.Name+"}", url.PathEscape(c.idOf(op, param, n)))
	case param.In == "header" && param.Name == "If-Match":
		if collection, _, ok := openapi.Collection(op.Path); ok && c.members[collection].etag != "" {
			p.header.Set("If-Match", c.members[collection].etag)
		}
	case param.In == "header" && (param.Required || param.Name == "Idempotency-Key"):
		p.header.Set(param.Name, fmt.Sprintf("%s-%d", op.Value(param, n), n))
	case param.In == "query" && param.Required:
		p.query.Set(param.Name, op.Value(param, n))
	}
}

// idOf returns the id of the last resource created in the parameter's collection.
func (c *caller) idOf(op openapi.Operation, param openapi.Param, n int) string {
	upTo := op.Path[:strings.Index(op.Path, "{"+param.Name+"}")+len(param.Name)+2]
	if collection, _, ok := openapi.Collection(upTo); ok && c.members[collection].id != "" {
		return c.members[collection].id
	}
	return op.Value(param, n)
}

// spoil makes one part of a request invalid, preferably the body.
func (p *draft) spoil(op openapi.Operation) bool {
	if body, ok := op.WrongBody(); ok {
		p.body = body
		return true
	}
	for _, param := range op.Params {
		value, ok := op.WrongValue(param)
		if !ok {
			continue
		}
		switch param.In {
		case "path":
			p.path = strings.TrimSuffix(op.Path, "{"+param.Name+"}") + value
			return !strings.Contains(p.path, "{")
		case "query":
			p.query.Set(param.Name, value)
			return true
		case "header":
			p.header.Set(param.Name, value)
			return true
		}
	}
	return false
}

// remember stores the id and version that a response contains.
func (c *caller) remember(op openapi.Operation, header http.Header, body []byte) {
	collection, param, ok := openapi.Collection(op.Path)
	switch {
	case op.Method == http.MethodPost && !strings.HasSuffix(op.Path, "}"):
		if id := idIn(header, body, c.paramBelow(op.Path)); id != "" {
			c.members[op.Path] = member{id, header.Get("ETag")}
		}
	case !ok || !strings.HasSuffix(op.Path, "{"+param+"}"):
	case op.Method == http.MethodDelete:
		delete(c.members, collection)
	case header.Get("ETag") != "":
		m := c.members[collection]
		m.etag = header.Get("ETag")
		c.members[collection] = m
	}
}

// paramBelow returns the path parameter for the members of a collection.
func (c *caller) paramBelow(collection string) string {
	for _, op := range c.doc.Operations {
		if of, param, ok := openapi.Collection(op.Path); ok && of == collection {
			return param
		}
	}
	return "id"
}

// idIn returns the id of a created resource: the end of Location, or a field of the response.
func idIn(header http.Header, body []byte, param string) string {
	if location, err := url.Parse(header.Get("Location")); err == nil && location.Path != "" {
		return path.Base(location.Path)
	}
	var answer map[string]any
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	for _, key := range []string{param, "id", "ID", "uuid", "name"} {
		if v, ok := answer[key]; ok {
			return fmt.Sprint(v)
		}
	}
	return ""
}

func firstLine(body []byte) string {
	const readable = 200
	text, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if len(text) > readable {
		text = text[:readable] + "…"
	}
	return text
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// errNoRoutes means that the service serves nothing.
var errNoRoutes = errors.New("the service declares no route to send requests to")
