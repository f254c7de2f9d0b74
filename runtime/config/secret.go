package config

import "log/slog"

// hidden stands in for a secret wherever a person or a machine may read it.
const hidden = "[hidden]"

// Secret is a string that shows itself only when asked by [Secret.Reveal].
// Printing, logging and marshalling it give "[hidden]", or nothing when it is
// empty, so that a missing secret can be told from a present one.
type Secret string

// Reveal returns the secret itself. Call it where the secret is spent, not
// where it is passed on.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `config.Secret("` + s.String() + `")` }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from JSON, YAML and whatever else asks for text.
// What was marshalled cannot be read back.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON hides the secret.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}
