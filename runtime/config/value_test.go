package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/runtime/config"
)

// fileName matches the path of a temporary file before a line number.
var fileName = regexp.MustCompile(`/\S+\.env:`)

func TestSecretIsHidden(t *testing.T) {
	t.Parallel()
	const plain = "hunter2"
	s := config.Secret(plain)
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "secret", s, "inside", struct{ S config.Secret }{s})
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "secret", s)
	fmt.Fprintf(&out, "%v %+v %#v %s %q %x", s, struct{ S config.Secret }{s}, s, s, s, s)
	for _, v := range []any{s, &s, map[string]config.Secret{"s": s}} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	if strings.Contains(out.String(), plain) || strings.Contains(out.String(), fmt.Sprintf("%x", plain)) {
		t.Errorf("the secret shows:\n%s", out.String())
	}
	if s.Reveal() != plain {
		t.Errorf("Reveal gave %q, want %q", s.Reveal(), plain)
	}
	if got := config.Secret("").String(); got != "" {
		t.Errorf("an empty secret shows as %q, want nothing", got)
	}
}

func TestByteSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		size  config.ByteSize
		again string
	}{
		"0":                   {0, "0B"},
		"1500":                {1500, "1500B"},
		"64KiB":               {64 << 10, "64KiB"},
		"64 kib":              {64 << 10, "64KiB"},
		"10MB":                {10e6, "10MB"},
		"2gib":                {2 << 30, "2GiB"},
		"7B":                  {7, "7B"},
		"9223372036854775807": {1<<63 - 1, "9223372036854775807B"},
	} {
		var got config.ByteSize
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want.size || got.String() != want.again {
			t.Errorf("%q gave %d (%s), %v; want %d (%s)", text, got, got, err, want.size, want.again)
		}
	}
	for _, text := range []string{"", "B", "-1", "1.5MB", "1TB", "9223372036854775808", "9999999999GiB", "+1", "1BKiB", "1MiBKB", "8589934592GiB"} {
		var got config.ByteSize
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q gave %d, want an error", text, got)
		}
	}
}

// A default in a struct is not validated, and must not show a password either.
func TestAnInvalidURLInAStructIsHidden(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://u:secret@h:port": "[hidden]", "u:secret@h": "[hidden]", "http://u:secret@h": "http://xxxxx@h", "h": "h", "": "",
	} {
		list, err := config.Describe(&struct {
			Link string `format:"url"`
		}{text})
		if err != nil || len(list) != 1 || list[0].Value != want || list[0].Default != want {
			t.Errorf("%q: got %+v, %v; want %q", text, list, err, want)
		}
	}
}
