package config

import "log/slog"

// hidden replaces a secret in all output.
const hidden = "[hidden]"

// Secret is a string that only [Secret.Reveal] returns. Printing, logging and marshaling write
// "[hidden]", or nothing if it is empty.
type Secret string

// Reveal returns the secret. Call it where the secret is used, not where it is passed on.
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

// MarshalText hides the secret in JSON, YAML and other text formats. The result cannot be
// unmarshaled.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON hides the secret.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// UnmarshalText stores the text unchanged.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}
