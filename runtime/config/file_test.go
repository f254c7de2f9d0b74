package config

import (
	"slices"
	"strings"
	"testing"
)

func TestParseFile(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want []string // key=value of each entry
		bad  []string // part of each problem
	}{
		"blank lines and comments": {"\n  \n# x=1\n\t# y\nA=1\n", []string{"A=1"}, nil},
		"blanks around":            {" A = b c \r\n", []string{"A=b c"}, nil},
		"export":                   {"export A=1", []string{"A=1"}, nil},
		"a byte order mark":        {"\uFEFFA=1", []string{"A=1"}, nil},
		"an equals sign inside":    {"A=b=c==", []string{"A=b=c=="}, nil},
		"an empty value":           {"A=\nB=''\nC=\"\"", []string{"A=", "B=", "C="}, nil},
		"single quotes":            {`A=' b # \n "c" '`, []string{`A= b # \n "c" `}, nil},
		"double quotes":            {`A=" b # \n\t\"\\ 'c' "`, []string{"A= b # \n\t\"\\ 'c' "}, nil},
		"a hash without a blank":   {"A=b#c", []string{"A=b#c"}, nil},
		"no equals sign":           {"A", nil, []string{`f:1: missing "="`}},
		"no key":                   {"=1", nil, []string{"f:1: invalid name before"}},
		"a key with a digit first": {"1A=1", nil, []string{"f:1: invalid name before"}},
		"the ends of the alphabet": {"azAZ_09=1\n_=2", []string{"azAZ_09=1", "_=2"}, nil},
		"neighbors of letters": {"A@=1\nA[=1\nA`=1\nA{=1\nA/=1\nA:=1\n0A=1\n9A=1", nil, []string{
			"f:1: invalid", "f:2: invalid", "f:3: invalid", "f:4: invalid", "f:5: invalid", "f:6: invalid", "f:7: invalid", "f:8: invalid",
		}},
		"a hash after a blank":  {"A=b # c", nil, []string{"A (f:1): ambiguous"}},
		"a hash alone":          {"A=#c", nil, []string{"A (f:1): ambiguous"}},
		"an open quote":         {`A="b`, nil, []string{`A (f:1): the quote is not closed at the end of the line; write KEY="VALUE"`}},
		"a quote inside":        {`A="b"c"`, nil, []string{`A (f:1): " in double quotes must be escaped`}},
		"a single quote inside": {`A='b'c'`, nil, []string{`A (f:1): ' is not allowed in single quotes`}},
		"an unknown escape":     {`A="\x"`, nil, []string{`A (f:1): unknown escape`}},
		"an escape at the end":  {`A="b\"`, nil, []string{`A (f:1): unknown escape`}},
		"no text":               {"A=\xff", nil, []string{"A (f:1): the value is not UTF-8"}},
		"a key twice":           {"A=1\n\nA=2", []string{"A=1"}, []string{"A (f:3): already set on line 1"}},
		"every problem at once": {"A\nB=1\n2=3", []string{"B=1"}, []string{"f:1: missing", "f:3: invalid name"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsed, wrong := parseFile("f", tt.text)
			var got []string
			for _, e := range parsed.entries {
				got = append(got, e.key+"="+e.value)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if len(wrong) != len(tt.bad) {
				t.Fatalf("got problems %v, want %q", wrong, tt.bad)
			}
			for i, p := range wrong {
				if !strings.Contains(p.Error(), tt.bad[i]) {
					t.Errorf("got %q, want %q in it", p.Error(), tt.bad[i])
				}
			}
		})
	}
}

func TestUpperSnake(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"URL": "URL", "Port": "PORT", "MaxConns": "MAX_CONNS", "HTTPPort": "HTTP_PORT", "UserID": "USER_ID",
		"A": "A", "TLSKeyFile": "TLS_KEY_FILE", "Level2": "LEVEL2",
	} {
		if got := upperSnake(name); got != want {
			t.Errorf("%s gave %s, want %s", name, got, want)
		}
	}
}

func TestSuggestion(t *testing.T) {
	t.Parallel()
	known := []string{"HTTP_PORT", "HTTP_TIMEOUT", "A"}
	for name, want := range map[string]string{
		"HTTP_PROT": "; did you mean HTTP_PORT?", "HTPTIMEOUT": "; did you mean HTTP_TIMEOUT?", "ZEBRA": "", "B": "; did you mean A?", "": "; did you mean A?",
		// A third of the letters, and never more than three.
		"HTTPxPORxT": "; did you mean HTTP_PORT?", "HTTP_PxxxORT": "; did you mean HTTP_PORT?", "HTTP_PxxxxORT": "", "HTTPxPxRx": "; did you mean HTTP_PORT?",
		"HTPORT": "", "HTPPORT": "; did you mean HTTP_PORT?", "HTTP_TOUT": "; did you mean HTTP_PORT?", // the first of two equally similar names
	} {
		if got := suggestion(name, known); got != want {
			t.Errorf("%q gave %q, want %q", name, got, want)
		}
	}
}

// FuzzParseFile checks that each entry has a name and text, that no name is set twice, and that
// an entry written in double quotes reads the same.
func FuzzParseFile(f *testing.F) {
	for _, seed := range []string{"A=1\n# c\nexport B='x y'\r\n", `C="\n\t\"\\"`, "D", "=1", "A=b # c", "\uFEFFA=\xff\n\n", `A="`, "A='"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, wrong := parseFile("f", text)
		seen := map[string]bool{}
		for _, e := range parsed.entries {
			if !isName(e.key) || seen[e.key] {
				t.Errorf("the name %q is invalid or set twice", e.key)
			}
			seen[e.key] = true
			again, bad := parseFile("f", e.key+`="`+escape(e.value)+`"`)
			if len(bad) != 0 || again.entries[0].value != e.value {
				t.Errorf("%q did not survive writing: %q, %v", e.value, again.entries, bad)
			}
		}
		if lines := strings.Count(text, "\n") + 1; len(parsed.entries)+len(wrong) > lines {
			t.Errorf("%d entries and %d problems in %d lines", len(parsed.entries), len(wrong), lines)
		}
	})
}

func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(value)
}
