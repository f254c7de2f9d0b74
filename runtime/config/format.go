package config

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// format parses and prints the values of a Go type.
type format struct {
	name      string // for people: "duration"
	not       string // for an invalid text: "not a duration"
	example   string // what to write: "a duration such as 200ms or 1m30s"
	parse     func(v reflect.Value, text string) error
	print     func(v reflect.Value) string
	element   func(v reflect.Value) string // prints an element of a list
	list      bool
	veiled    func(text string) bool   // reports whether an invalid text must be hidden; nil for never
	corrected func(text string) string // returns what an invalid text probably means, or ""; may be nil
}

// Named is a type with an UnmarshalText method and a name for people, such as "connection
// string". Values of other types are called "value".
type Named interface{ ConfigName() string }

var errValue = errors.New("not a value of this type")

func formatOf(t reflect.Type) (format, bool) {
	f, known := scalarFormat(t)
	if !known && t.Kind() == reflect.Slice {
		if of, ok := scalarFormat(t.Elem()); ok {
			return listFormat(of), true
		}
	}
	f.element = f.print
	return f, known
}

func scalarFormat(t reflect.Type) (format, bool) {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return durationFormat(), true
	case reflect.TypeFor[ByteSize]():
		return textFormat("size", "not a size", "a size such as 64KiB or 10MB"), true
	case reflect.TypeFor[Secret]():
		return textFormat("secret", "not a secret", "the secret"), true
	case reflect.TypeFor[url.URL]():
		return urlFormat(), true
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		name := "value"
		switch named := reflect.New(t).Interface().(type) {
		case *slog.Level:
			name = "log level"
		case Named:
			name = named.ConfigName()
		}
		return textFormat(name, "not a "+name, "one"), true
	}
	return kindFormat(t)
}

// kindFormat returns the format of basic types and types derived from them.
func kindFormat(t reflect.Type) (format, bool) {
	printed := func(v reflect.Value) string { return fmt.Sprint(v.Interface()) }
	whole := format{name: "whole number", not: "not a whole number", example: "a whole number such as 10", print: printed}
	switch t.Kind() { //nolint:exhaustive // other kinds are unsupported
	case reflect.String:
		return format{name: "text", not: "not text", example: "text", print: printed, parse: func(v reflect.Value, text string) error {
			v.SetString(text)
			return nil
		}}, true
	case reflect.Bool:
		return format{name: "boolean", not: "neither true nor false", example: "true or false", print: printed, parse: parseBool}, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		whole.parse = func(v reflect.Value, text string) error {
			n, err := strconv.ParseInt(text, 10, t.Bits())
			v.SetInt(n)
			return err
		}
		return whole, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		whole.parse = func(v reflect.Value, text string) error {
			n, err := strconv.ParseUint(text, 10, t.Bits())
			v.SetUint(n)
			return err
		}
		return whole, true
	case reflect.Float32, reflect.Float64:
		return format{name: "number", not: "not a number", example: "a number such as 0.25", print: printed, parse: parseFloat}, true
	}
	return format{}, false
}

// parseBool accepts common spellings; strconv also accepts t and F.
func parseBool(v reflect.Value, text string) error {
	b, err := strconv.ParseBool(strings.ToLower(text))
	v.SetBool(b)
	return err
}

// parseFloat rejects NaN and infinities, which bounds cannot exclude.
func parseFloat(v reflect.Value, text string) error {
	n, err := strconv.ParseFloat(text, v.Type().Bits())
	if err != nil || n-n != 0 {
		return errValue
	}
	v.SetFloat(n)
	return nil
}

func durationFormat() format {
	return format{
		name: "duration", not: "not a duration", example: "a duration such as 200ms or 1m30s",
		parse: func(v reflect.Value, text string) error {
			d, err := time.ParseDuration(text)
			v.SetInt(int64(d))
			return err
		},
		print: func(v reflect.Value) string { return shortDuration(time.Duration(v.Int())) },
	}
}

// shortDuration writes 1m30s and 5m, where the standard library writes 5m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// urlFormat accepts only absolute URLs: a missing scheme is a common mistake, and
// "localhost:4318" parses as a URL with a scheme. Passwords are not printed, and neither are
// invalid URLs that may contain one.
func urlFormat() format {
	return format{
		name: "URL", not: "not an absolute URL", example: "a URL such as http://127.0.0.1:4318",
		veiled: func(text string) bool { return strings.Contains(text, "@") },
		parse: func(v reflect.Value, text string) error {
			if !isURL(text) {
				return errValue
			}
			u, err := url.Parse(text)
			if err == nil {
				v.Set(reflect.ValueOf(*u))
			}
			return err
		},
		print: func(v reflect.Value) string {
			u := v.Interface().(url.URL) //nolint:forcetypeassert // the format of this type
			return u.Redacted()
		},
	}
}

// stringFormat returns the format in the format tag of a string: address or URL, then other
// allowed words.
func stringFormat(tag string) (f format, known bool) {
	kind, words, _ := strings.Cut(tag, ",")
	var valid func(text string) bool
	show := func(text string) string { return text }
	switch kind {
	case "address":
		f = format{name: "address", not: "not an address with a port", example: "an address such as :8080 or 127.0.0.1:8080", corrected: correctedAddress}
		valid = isAddress
	case "url":
		f = urlFormat()
		f.corrected = correctedURL
		valid, show = isURL, withoutUser
	default:
		return format{}, false
	}
	f.print = func(v reflect.Value) string { return show(v.String()) }
	f.parse = func(v reflect.Value, text string) error {
		word := words != "" && slices.Contains(strings.Split(words, ","), text)
		if !word && !valid(text) {
			return errValue
		}
		v.SetString(text)
		return nil
	}
	f.element = f.print
	return f, true
}

// withoutUser replaces the user and password of a URL: tokens are often in the place of the user.
// A value in a struct may be an invalid URL.
func withoutUser(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return hidden
	}
	if u.User != nil {
		u.User = url.User("xxxxx") // as url.URL.Redacted
	}
	return u.String()
}

func isAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil || port == "" {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil || !errors.Is(err, strconv.ErrRange) && !strings.ContainsAny(port, "0123456789") // a name, such as http
}

func correctedAddress(text string) string {
	if _, err := strconv.ParseUint(text, 10, 16); err != nil {
		return ""
	}
	return ":" + text
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme != "" && u.Host != ""
}

func correctedURL(text string) string {
	if with := "http://" + text; !strings.Contains(text, "/") && isURL(with) {
		return with
	}
	return ""
}

// textFormat uses the methods of the type.
func textFormat(name, not, example string) format {
	return format{
		name: name, not: not, example: example,
		parse: func(v reflect.Value, text string) error {
			u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
			if !ok {
				return errValue
			}
			return u.UnmarshalText([]byte(text))
		},
		print: func(v reflect.Value) string {
			if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
				if text, err := m.MarshalText(); err == nil {
					return string(text)
				}
			}
			return fmt.Sprint(v.Interface())
		},
	}
}

// listFormat parses elements separated by commas, and ignores blanks around them.
func listFormat(of format) format {
	return format{
		name: "list of " + of.name, not: "has an element that is " + of.not,
		example: "elements separated by commas, each " + of.example,
		list:    true, element: of.print, veiled: of.veiled,
		parse: func(v reflect.Value, text string) error {
			for part := range strings.SplitSeq(text, ",") {
				e := reflect.New(v.Type().Elem()).Elem()
				part = strings.TrimSpace(part)
				if part == "" {
					return errValue
				}
				if err := of.parse(e, part); err != nil {
					return err
				}
				v.Set(reflect.Append(v, e))
			}
			return nil
		},
		print: func(v reflect.Value) string {
			parts := make([]string, v.Len())
			for i := range parts {
				parts[i] = of.print(v.Index(i))
			}
			return strings.Join(parts, ",")
		},
	}
}

func isSecret(sf reflect.StructField) bool {
	t := sf.Type
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t == reflect.TypeFor[Secret]() || sf.Tag.Get("secret") == "true"
}

// ordered reports whether min and max apply to the type.
func ordered(t reflect.Type) bool {
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64
}

func compare(a, b reflect.Value) int {
	switch {
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.CanUint():
		return cmp.Compare(a.Uint(), b.Uint())
	default:
		return cmp.Compare(a.Float(), b.Float())
	}
}
