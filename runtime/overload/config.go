package overload

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Config is what the environment decides. The tags are those of package config. In a Config
// built in code, a zero count or Mode means the tag's default, and a zero ratio turns its check off.
type Config struct {
	Mode Mode `env:"MODE" default:"enforce" oneof:"enforce,observe,off" help:"enforce rejects requests that would miss their deadline; observe admits them and counts them; off does nothing"`

	// The limit moves between these two, beginning at InitialLimit.
	MinLimit     int `env:"MIN_LIMIT" default:"4" min:"1" help:"fewest requests worked on at a time, however slow they are"`
	InitialLimit int `env:"INITIAL_LIMIT" default:"64" min:"1" help:"requests worked on at a time until it is known how long they take"`
	MaxLimit     int `env:"MAX_LIMIT" default:"1000" min:"1" help:"most requests worked on at a time, however fast they are"`

	Queue     int           `env:"QUEUE" default:"1000" min:"1" help:"maximum number of requests in the queue"`
	QueueWait time.Duration `env:"QUEUE_WAIT" default:"0s" min:"0s" max:"1m" help:"maximum time in the queue; 0s is half of the time that is left until the request's deadline"`

	// TrustedPriority believes callers that say how important they are.
	TrustedPriority bool `env:"TRUSTED_PRIORITY" help:"believe X-Request-Priority: critical; only behind one's own services, others may only make themselves less important"`

	MemoryRatio     float64 `env:"MEMORY_RATIO" default:"0.9" min:"0" max:"1" help:"share of the container's memory that becomes GOMEMLIMIT when that is not set; 0 leaves it alone"`
	MemoryShedRatio float64 `env:"MEMORY_SHED_RATIO" default:"0.8" min:"0" max:"1" help:"share of GOMEMLIMIT above which requests are rejected while OVERLOAD_INITIAL_LIMIT are in flight; 0 never rejects for memory"`
}

// Mode is what the limiter does with a request that would miss its deadline.
type Mode string

// The modes.
const (
	ModeEnforce Mode = "enforce" // reject it
	ModeObserve Mode = "observe" // admit it, and count what would have been rejected
	ModeOff     Mode = "off"     // admit every request and measure nothing
)

// withDefaults are the values of the tags, for a Config that was filled in by
// hand. The ratios and QueueWait have a zero that means something.
func (c Config) withDefaults() Config {
	c.Mode = cmp.Or(c.Mode, ModeEnforce)
	c.MinLimit = cmp.Or(c.MinLimit, 4)
	c.MaxLimit = cmp.Or(c.MaxLimit, max(1000, c.MinLimit))
	c.InitialLimit = cmp.Or(c.InitialLimit, min(c.MaxLimit, max(64, c.MinLimit)))
	c.Queue = cmp.Or(c.Queue, 1000)
	return c
}

// mostLimit is far above what one process works on at a time, and far below where
// a number of requests is no exact float any more.
const mostLimit = 1_000_000

// check tells what no tag can say, and what the tags say to a Config that was filled
// in by hand.
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
		complain("OVERLOAD_MIN_LIMIT=%d is above OVERLOAD_MAX_LIMIT=%d; lower the one or raise the other", c.MinLimit, c.MaxLimit)
	}
	if c.MaxLimit > mostLimit {
		complain("OVERLOAD_MAX_LIMIT=%d: write %d or less", c.MaxLimit, mostLimit)
	}
	if c.MinLimit <= c.MaxLimit && (c.InitialLimit < c.MinLimit || c.InitialLimit > c.MaxLimit) {
		complain("OVERLOAD_INITIAL_LIMIT=%d: write %d to %d, which are OVERLOAD_MIN_LIMIT and OVERLOAD_MAX_LIMIT",
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

// isShare is false for NaN as well.
func isShare(x float64) bool { return x >= 0 && x <= 1 }
