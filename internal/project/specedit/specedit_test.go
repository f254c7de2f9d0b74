package specedit_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/project/specedit"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/spec"
)

const file = "scaffold.yaml"

// created returns the spec that scaffold new writes.
func created(t *testing.T, with ...string) string {
	t.Helper()
	s, err := spec.New(spec.Choices{Name: "orders", Description: "Takes orders.", Components: with, Directory: "services/orders"})
	if err != nil {
		t.Fatal(err)
	}
	return string(s.YAML())
}

func edited(t *testing.T, src string, changes ...func(s *specedit.Spec) error) string {
	t.Helper()
	s := specedit.Spec{Name: file, Src: []byte(src)}
	for _, change := range changes {
		if err := change(&s); err != nil {
			return "error: " + err.Error()
		}
	}
	return string(s.Src)
}

func add(name string, options ...string) func(s *specedit.Spec) error {
	return func(s *specedit.Spec) error { return s.AddComponent(name, options) }
}

func remove(name string) func(s *specedit.Spec) error {
	return func(s *specedit.Spec) error { return s.RemoveComponent(name) }
}

// Adding a component later gives the bytes of a spec that was created with it.
func TestAddEqualsNewWith(t *testing.T) {
	t.Parallel()
	empty := created(t)
	for _, one := range components.Names() {
		if got, want := edited(t, empty, add(one)), created(t, one); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", one, got, want)
		}
		for _, other := range components.Names() {
			if other == one {
				continue
			}
			if got, want := edited(t, empty, add(one), add(other)), created(t, one, other); got != want {
				t.Errorf("%s, then %s: got\n%s\nwant\n%s", one, other, got, want)
			}
			if got, want := edited(t, created(t, one, other), remove(one)), created(t, other); got != want {
				t.Errorf("without %s: got\n%s\nwant\n%s", one, got, want)
			}
		}
	}
}

// Adding and removing a component gives back the bytes, however the spec is formatted.
func TestRemoveAfterAddGivesBackTheBytes(t *testing.T) {
	t.Parallel()
	count := 60
	if testing.Short() {
		count = 10
	}
	checked := 0
	all := specs(t)
	for i, src := range all {
		for round := range count {
			r := rand.New(rand.NewPCG(uint64(i), uint64(round)))
			text := reformatted(r, src)
			s, err := spec.Parse(file, text)
			if err != nil {
				continue // a blank line inside a flow mapping, for example
			}
			for _, name := range components.Names() {
				if slices.Contains(s.Components.Names(), name) {
					continue
				}
				if got := edited(t, string(text), add(name), remove(name)); got != string(text) {
					t.Fatalf("%s: got\n%s\nwant\n%s", name, got, text)
				}
				after, err := spec.Parse(file, []byte(edited(t, string(text), add(name))))
				if err != nil || !slices.Contains(after.Components.Names(), name) {
					t.Fatalf("%s: %v\n%s", name, err, text)
				}
				checked++
			}
		}
	}
	if checked < len(all)*count/2 {
		t.Errorf("only %d edits were checked", checked)
	}
}

// specs returns the specs of the examples and some in other styles.
func specs(t *testing.T) [][]byte {
	t.Helper()
	out := [][]byte{
		[]byte(created(t)), []byte(created(t, "postgres")), []byte(created(t, "httpclient")),
		[]byte("{apiVersion: scaffold/v1, service: orders, owner: team-a, module: example.com/orders}\n"),
		[]byte("{\n  \"apiVersion\": \"scaffold/v1\",\n  \"service\": \"orders\",\n  \"owner\": \"a\",\n  \"module\": \"example.com/orders\"\n}\n"),
		[]byte("apiVersion: scaffold/v1\nservice: orders\nowner: team-a\ncomponents: {}\nmodule: example.com/orders\n"),
		[]byte("slos:\n- name: a\n  objective: 99.9\n  indicator:\n    availability: {}\ncomponents: { postgres: {connections: 90} }\nmodule: example.com/orders\nservice: orders\nowner: team-a\napiVersion: scaffold/v1\n"),
		[]byte("---\napiVersion: scaffold/v1\nservice: orders\nowner: team-a\nmodule: example.com/orders\ncomponents:\n    postgres:\n        connections: 90\n"),
	}
	names, err := filepath.Glob("../../../examples/*/scaffold.yaml")
	if err != nil || len(names) < 3 {
		t.Fatalf("%d examples: %v", len(names), err)
	}
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, src)
	}
	return out
}

// reformatted adds comments and blank lines, and changes line ends.
func reformatted(r *rand.Rand, src []byte) []byte {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(src), "\n"), "\n") {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		for r.IntN(3) == 0 {
			lines = append(lines, []string{"", indent + "# about", indent + "   # deeper: 1", "# margin", indent + "#- item", "  # two"}[r.IntN(6)])
		}
		if r.IntN(4) == 0 {
			line += " # why"
		}
		lines = append(lines, line)
	}
	text := strings.Join(lines, []string{"\n", "\n", "\r\n"}[r.IntN(3)])
	return []byte(text + []string{"", "\n", "\n\n# End.\n", "\n  # end"}[r.IntN(4)])
}

// matches compares texts. An error may have more lines.
func matches(got, want string) bool {
	return got == want || strings.HasPrefix(want, "error: ") && strings.HasPrefix(got, want)
}

func TestAddComponent(t *testing.T) {
	t.Parallel()
	head := "apiVersion: scaffold/v1\nservice: orders\nowner: team-orders\nmodule: example.com/orders\n"
	for name, tc := range map[string]struct {
		src, component string
		options        []string
		want           string
	}{
		"an option replaces the default": {head, "postgres", []string{"connections=50"}, head + "components:\n  postgres:\n    connections: 50\n"},
		"items replace the default items": {
			head, "httpclient", []string{"upstreams.payments.url=https://payments.test", "upstreams.stock.url=http://stock:8080", "upstreams.stock.timeout=1s"},
			head + "components:\n  httpclient:\n    upstreams:\n      - {name: payments, url: 'https://payments.test'}\n      - {name: stock, url: 'http://stock:8080', timeout: 1s}\n",
		},
		"a comment stays":           {head + "# The database.\ncomponents: # all\n  # Bought.\n  postgres: {connections: 90}\n", "httpclient", nil, head + "# The database.\ncomponents: # all\n  httpclient:\n    upstreams:\n      - {name: backend, url: 'http://localhost:8081', timeout: 2s, healthPath: /healthz}\n  # Bought.\n  postgres: {connections: 90}\n"},
		"a present component":       {head + "components:\n  postgres: {}\n", "postgres", nil, "error: scaffold.yaml:6: the component postgres is already in the spec; change its options here, or write: scaffold remove postgres"},
		"an unknown component":      {head, "postgre", nil, `error: unknown component "postgre"; did you mean "postgres"?`},
		"an unknown option":         {head, "postgres", []string{"connection=1"}, `error: scaffold.yaml:8:5: components.postgres.connection: unknown key; did you mean "connections"?`},
		"a value of another type":   {head, "postgres", []string{"connections=many"}, `error: scaffold.yaml:7:18: components.postgres.connections: "many" is not a whole number`},
		"an option without a value": {head, "postgres", []string{"connections"}, `error: invalid option "connections"; write key=value, such as connections=50`},
		"an alias":                  {head + "telemetry: &t {}\ncomponents: *t\n", "postgres", nil, "error: scaffold.yaml:6:13: the alias *t refers to a value that is written elsewhere; write the value here, or edit the file by hand"},
		"an invalid spec":           {"apiVersion: scaffold/v1\n", "postgres", nil, "error: scaffold.yaml:1:1: service: the name is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := edited(t, tc.src, add(tc.component, tc.options...))
			if !matches(got, tc.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func TestRemoveComponent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ src, component, want string }{
		"absent":        {created(t), "postgres", "error: scaffold.yaml:1: the component postgres is not in the spec; the spec has no components"},
		"another one":   {created(t, "httpclient"), "postgres", "error: scaffold.yaml:6: the component postgres is not in the spec; write one of: httpclient"},
		"with comments": {strings.Replace(created(t, "postgres"), "  postgres:\n", "  # Bought.\n  postgres: # now\n    # More.\n", 1), "postgres", created(t)},
	} {
		if got := edited(t, tc.src, remove(tc.component)); got != tc.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, tc.want)
		}
	}
}

func TestAddObjective(t *testing.T) {
	t.Parallel()
	head := "apiVersion: scaffold/v1\nservice: orders\nowner: team-orders\nmodule: example.com/orders\n"
	block := "name: quotes\nobjective: 99.5\nindicator:\n  latency: {threshold: 50ms}\n"
	line := "  - {name: quotes, objective: 99.5, indicator: {latency: {threshold: 50ms}}}\n"
	all := created(t)
	_, defaults, _ := strings.Cut(all, "slos:\n")
	own := head + "slos:\n- name: a\n  objective: 99\n  indicator: {availability: {}}\n\n# End.\nfiles: []\n"
	for name, tc := range map[string]struct{ src, text, want string }{
		"in the style of the list":    {all, block, all + line},
		"of block items":              {own, "{" + line[5:], strings.Replace(own, "\n\n#", "\n- name: quotes\n  objective: 99.5\n  indicator: {latency: {threshold: 50ms}}\n\n#", 1)},
		"with the default objectives": {head, block, head + "slos:\n" + defaults + line},
		"a name twice":                {all, "{name: latency, objective: 99, indicator: {availability: {}}}", "error: scaffold.yaml:11:12: slos[2].name: "},
		"an unknown key":              {all, "{nam: a, objective: 9, indicator: {availability: {}}}", "error: scaffold.yaml:11:6: slos[2].nam: unknown key"},
		"no YAML":                     {all, "{", "error: new value for scaffold.yaml:1:1: not valid YAML"},
	} {
		got := edited(t, tc.src, func(s *specedit.Spec) error { return s.AddObjective(tc.text) })
		if !matches(got, tc.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, tc.want)
		}
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	head := "apiVersion: scaffold/v1\nservice: %s # the name\nowner: team-orders\nmodule: example.com/%s\n%s\n# End.\n"
	for name, tc := range map[string]struct{ before, to, after string }{
		"the resource stays":       {"", "shop", "resource: order\n"},
		"a written resource stays": {"resource: basket\n", "shop", "resource: basket\n"},
		"the same resource":        {"", "order-service", ""},
		"a written plural stays":   {"plural: orderz\n", "shop", "resource: order\nplural: orderz\n"},
		"the job of the selector":  {"telemetry: {selector: {job: orders, zone: a}}\n", "shop", "resource: order\ntelemetry: {selector: {job: shop, zone: a}}\n"},
		"another selector stays":   {"telemetry: {selector: {job: all}}\n", "shop", "resource: order\ntelemetry: {selector: {job: all}}\n"},
		"a written image stays":    {"deploy: {image: a.test/orders}\n", "shop", "resource: order\ndeploy: {image: a.test/orders}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := fmt.Sprintf(head, "orders", "orders", tc.before)
			before, err := spec.Parse(file, []byte(src))
			if err != nil {
				t.Fatal(err)
			}
			got := edited(t, src, func(s *specedit.Spec) error { return s.Rename(tc.to, "example.com/"+tc.to) })
			if want := fmt.Sprintf(head, tc.to, tc.to, tc.after); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			after, err := spec.Parse(file, []byte(got))
			if err != nil || after.Resource != before.Resource || after.Plural != before.Plural || after.Owner != before.Owner || after.Name != tc.to {
				t.Errorf("%v: got %q, %q, %q, %q", err, after.Name, after.Resource, after.Plural, after.Owner)
			}
		})
	}
	src := created(t)
	for _, name := range []string{"../x", "Orders", ""} {
		got := edited(t, src, func(s *specedit.Spec) error { return s.Rename(name, "example.com/x") })
		if !strings.HasPrefix(got, "error: ") {
			t.Errorf("%q: got\n%s", name, got)
		}
	}
	if got := edited(t, src, func(s *specedit.Spec) error { return s.Rename("shop", "nodots") }); !strings.HasPrefix(got, "error: scaffold.yaml:5:9: module") {
		t.Errorf("got\n%s", got)
	}
}

// An irregular plural stays, too.
func TestRenameKeepsTheTable(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"orders", "people-api", "news", "api", "boxes", "x-service"} {
		s, err := spec.New(spec.Choices{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		got := edited(t, string(s.YAML()), func(s *specedit.Spec) error { return s.Rename("catalogue", "example.com/catalogue") })
		after, err := spec.Parse(file, []byte(got))
		if err != nil || after.Plural != s.Plural || after.Resource != s.Resource || !strings.Contains(got, "service: catalogue\n") {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}
