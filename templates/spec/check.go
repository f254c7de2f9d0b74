package spec

import (
	"errors"
	"fmt"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/module"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/components"
)

const (
	// MaxNameLength limits the names of services and resources. Kubernetes allows 63 characters
	// and appends up to 17 to the name of a pod; the rest is for suffixes such as -migrate.
	MaxNameLength = slo.MaxNameLength
	// MaxOwnerLength limits the owner, which becomes the value of a label.
	MaxOwnerLength = 100
)

// CheckName returns why the text is not a valid service name, or nil.
func CheckName(name string) error {
	if err := checkLabel(name, "orders"); err != nil {
		return err
	}
	if reason := reservedAsService(name); reason != "" {
		return fmt.Errorf("%q is %s; choose another name", name, reason)
	}
	return nil
}

func reservedAsService(name string) string {
	switch {
	case token.IsKeyword(name), isSpecialDirectory(name):
		return reservedFor(name)
	case slices.Contains([]string{"n", "no", "null", "off", "on", "true", "false", "y", "yes"}, name):
		return "a YAML value that is not text" // of YAML 1.1, which tools around Kubernetes read
	case versionSuffix.MatchString(name):
		return "a Go major version suffix"
	}
	return ""
}

// CheckResource returns why the text is not a valid resource name, or nil.
func CheckResource(resource string) error {
	if err := checkLabel(resource, "order"); err != nil {
		return err
	}
	if reason := reservedFor(Noun(resource).Package()); reason != "" {
		return fmt.Errorf("%q is %s; choose another noun", resource, reason)
	}
	return nil
}

// CheckPlural returns why the text is not a valid plural of the resource, or nil.
func CheckPlural(resource, plural string) error {
	if err := checkLabel(plural, "orders"); err != nil {
		return err
	}
	if Noun(plural).Package() == Noun(resource).Package() {
		return fmt.Errorf("%q is the resource itself; generated code needs two names, so write a plural such as %q",
			plural, plural+"-list")
	}
	if reason := reservedFor(Noun(plural).Package()); reason != "" {
		return fmt.Errorf("%q is %s; choose another plural", plural, reason)
	}
	return nil
}

func checkLabel(label, example string) error {
	switch {
	case label == "":
		return fmt.Errorf("the name is empty; write one such as %s", example)
	case utf8.RuneCountInString(label) > MaxNameLength:
		return fmt.Errorf("%s is %d characters long; use at most %d", abbreviate(label), utf8.RuneCountInString(label), MaxNameLength)
	case strings.ContainsAny(label, `/\`) || label == "." || label == "..":
		return fmt.Errorf("%q is a path; write a name such as %s", label, example)
	case !dnsLabel(label):
		return fmt.Errorf("%q is not a DNS label; use lower-case letters, digits and single hyphens, "+
			"beginning with a letter, such as %s", label, example)
	}
	return nil
}

// dnsLabel reports whether s is an RFC 1035 label, as names of Kubernetes services are. It
// rejects consecutive hyphens, which are reserved (RFC 5891, section 4.2.3.1).
func dnsLabel(s string) bool {
	previous := '-'
	for i, r := range s {
		letter, digit := 'a' <= r && r <= 'z', '0' <= r && r <= '9'
		switch {
		case i == 0 && !letter:
			return false
		case !letter && !digit && r != '-', r == '-' && previous == '-':
			return false
		}
		previous = r
	}
	return previous != '-'
}

// CheckModule returns why the text is not a valid module path, or nil.
func CheckModule(path string) error {
	if path == "" {
		return errors.New("the module path is empty; write one such as github.com/acme/orders")
	}
	if err := module.CheckPath(path); err != nil {
		var invalid *module.InvalidPathError
		reason := err
		if errors.As(err, &invalid) && invalid.Err != nil {
			reason = invalid.Err
		}
		return fmt.Errorf("%s is not a module path: %w; write one such as github.com/acme/orders", abbreviate(path), reason)
	}
	return nil
}

// CheckPattern returns why the text is not a pattern, or nil.
func CheckPattern(pattern string) error { return checkOneOf("pattern", pattern, Patterns()) }

// CheckComponent returns why the text is not a component, or nil.
func CheckComponent(name string) error { return checkOneOf("component", name, components.Names()) }

// CheckOwner returns why the text is not a valid owner, or nil.
func CheckOwner(owner string) error {
	if strings.TrimSpace(owner) == "" {
		return errors.New("the owner is empty; write the team that is paged, such as team-checkout")
	}
	return checkOwnerText(owner)
}

// checkOwnerText accepts one printable line: the owner appears in tables, labels and the log.
func checkOwnerText(owner string) error {
	if err := checkText(owner, MaxOwnerLength); err != nil {
		return err
	}
	for _, r := range owner {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("the owner contains %U, which is not printable; write one line such as team-checkout", r)
		}
	}
	return nil
}

// checkText accepts text that all generated formats can contain.
func checkText(text string, limit int) error {
	if !utf8.ValidString(text) {
		return errors.New("the text is not valid UTF-8")
	}
	if n := utf8.RuneCountInString(text); n > limit {
		return fmt.Errorf("the text is %d characters long; use at most %d", n, limit)
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return fmt.Errorf("the text contains the control character %U; remove it", r)
		}
	}
	return nil
}

func checkOneOf(what, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	hint := diagnostic.DidYouMean(value, known)
	if hint == "" {
		hint = "; known: " + strings.Join(known, ", ")
	}
	return fmt.Errorf("unknown %s %s%s", what, abbreviate(value), hint)
}

// abbreviate quotes a value for a message and truncates it.
func abbreviate(value string) string {
	const limit = 60
	if runes := []rune(value); len(runes) > limit {
		return fmt.Sprintf("%q", string(runes[:limit])+"…")
	}
	return fmt.Sprintf("%q", value)
}

// versionSuffix matches a last element of a module path that Go reads as a version.
var versionSuffix = regexp.MustCompile(`^v[0-9]+$`)
