package overload

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Config is the configuration from environment variables. The tags are those of package config.
// In a Config built in code, a zero count or Mode means the tag's default, and a zero ratio
// disables its check.
type Config struct {
	Mode Mode `env:"MODE" default:"enforce" oneof:"enforce,observe,off" help:"enforce rejects requests that would miss their deadline; observe admits them and counts them; off does nothing"`

	// The limit moves between MinLimit and MaxLimit and starts at InitialLimit.
	MinLimit     int `env:"MIN_LIMIT" default:"4" min:"1" help:"minimum limit of requests in flight"`
	InitialLimit int `env:"INITIAL_LIMIT" default:"64" min:"1" help:"initial limit of requests in flight, until their latency is known"`
	MaxLimit     int `env:"MAX_LIMIT" default:"1000" min:"1" help:"maximum limit of requests in flight"`

	Queue     int           `env:"QUEUE" default:"1000" min:"1" help:"maximum number of requests in the queue"`
	QueueWait time.Duration `env:"QUEUE_WAIT" default:"0s" min:"0s" max:"1m" help:"maximum time in the queue; 0s: half of the time until the request's deadline"`

	// TrustedPriority accepts X-Request-Priority: critical from clients.
	TrustedPriority bool `env:"TRUSTED_PRIORITY" help:"accept X-Request-Priority: critical; set it only if all callers are your own services, since others may only lower their priority"`

	MemoryRatio     float64 `env:"MEMORY_RATIO" default:"0.9" min:"0" max:"1" help:"ratio of the container's memory to set as GOMEMLIMIT if it is not set; 0 sets none"`
	MemoryShedRatio float64 `env:"MEMORY_SHED_RATIO" default:"0.8" min:"0" max:"1" help:"ratio of GOMEMLIMIT in use above which requests are rejected while OVERLOAD_INITIAL_LIMIT are in flight; 0 never rejects for memory"`
}

// Mode is what the limiter does with a request that would miss its deadline.
type Mode string

// Modes of a [Limiter].
const (
	ModeEnforce Mode = "enforce" // reject the request
	ModeObserve Mode = "observe" // admit the request and count it as rejected
	ModeOff     Mode = "off"     // admit every request without measuring
)

// withDefaults sets the defaults of the tags in a Config built in code. Zero is a valid value of
// the ratios and of QueueWait.
func (c Config) withDefaults() Config {
	c.Mode = cmp.Or(c.Mode, ModeEnforce)
	c.MinLimit = cmp.Or(c.MinLimit, 4)
	c.MaxLimit = cmp.Or(c.MaxLimit, max(1000, c.MinLimit))
	c.InitialLimit = cmp.Or(c.InitialLimit, min(c.MaxLimit, max(64, c.MinLimit)))
	c.Queue = cmp.Or(c.Queue, 1000)
	return c
}

// mostLimit is far above the requests in flight of one process, and far below the integers that a
// float64 cannot represent.
const mostLimit = 1_000_000

// check validates what tags cannot express, and the tags for a Config built in code.
func (c Config) check() error {
	var problems []error
	complain := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.Mode != ModeEnforce && c.Mode != ModeObserve && c.Mode != ModeOff {
		complain("OVERLOAD_MODE=%q: write enforce, observe or off", c.Mode)
	}
	if c.MinLimit < 1 {
		complain("OVERLOAD_MIN_LIMIT=%d: write 1 or more", c.MinLimit)
	}
	if c.MinLimit > c.MaxLimit {
		complain("OVERLOAD_MIN_LIMIT=%d is above OVERLOAD_MAX_LIMIT=%d; lower OVERLOAD_MIN_LIMIT or raise OVERLOAD_MAX_LIMIT", c.MinLimit, c.MaxLimit)
	}
	if c.MaxLimit > mostLimit {
		complain("OVERLOAD_MAX_LIMIT=%d: write %d or less", c.MaxLimit, mostLimit)
	}
	if c.MinLimit <= c.MaxLimit && (c.InitialLimit < c.MinLimit || c.InitialLimit > c.MaxLimit) {
		complain("OVERLOAD_INITIAL_LIMIT=%d: write a number from OVERLOAD_MIN_LIMIT=%d to OVERLOAD_MAX_LIMIT=%d",
			c.InitialLimit, c.MinLimit, c.MaxLimit)
	}
	if c.Queue < 1 {
		complain("OVERLOAD_QUEUE=%d: write 1 or more", c.Queue)
	}
	if c.QueueWait < 0 {
		complain("OVERLOAD_QUEUE_WAIT=%s: write 0s or more", c.QueueWait)
	}
	if !isShare(c.MemoryRatio) {
		complain("OVERLOAD_MEMORY_RATIO=%g: write 0 to 1", c.MemoryRatio)
	}
	if !isShare(c.MemoryShedRatio) {
		complain("OVERLOAD_MEMORY_SHED_RATIO=%g: write 0 to 1", c.MemoryShedRatio)
	}
	return errors.Join(problems...)
}

// isShare reports whether x is from 0 to 1. It is false for NaN.
func isShare(x float64) bool { return x >= 0 && x <= 1 }
