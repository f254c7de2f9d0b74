package overload

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Config is what the environment decides. The tags are those of package config;
// a zero number or duration means the tag's default.
type Config struct {
	Enabled bool `env:"ENABLED" default:"true" help:"refuse what cannot be answered in time; false lets everything in"`

	// The limit moves between these two, beginning at InitialLimit.
	MinLimit     int `env:"MIN_LIMIT" default:"4" min:"1" help:"fewest requests worked on at a time, however slow they are"`
	InitialLimit int `env:"INITIAL_LIMIT" default:"64" min:"1" help:"requests worked on at a time until it is known how long they take"`
	MaxLimit     int `env:"MAX_LIMIT" default:"1000" min:"1" help:"most requests worked on at a time, however fast they are"`

	Queue     int           `env:"QUEUE" default:"256" min:"1" help:"most requests that wait to be begun"`
	QueueWait time.Duration `env:"QUEUE_WAIT" default:"50ms" min:"1ms" max:"1m" help:"longest wait to be begun; what the caller still has time for may be less"`

	// TrustedPriority believes callers that say how important they are.
	TrustedPriority bool `env:"TRUSTED_PRIORITY" help:"believe X-Request-Priority: critical; only behind one's own services, others may only make themselves less important"`

	MemoryRatio     float64 `env:"MEMORY_RATIO" default:"0.9" min:"0" max:"1" help:"share of the container's memory that becomes GOMEMLIMIT when that is not set; 0 leaves it alone"`
	MemoryShedRatio float64 `env:"MEMORY_SHED_RATIO" default:"0.8" min:"0" max:"1" help:"share of GOMEMLIMIT that is in use when requests are refused; 0 never refuses for memory"`
}

// withDefaults are the values of the tags, for a Config that was filled in by
// hand. Enabled and the ratios have a zero that means something.
func (c Config) withDefaults() Config {
	c.MinLimit = cmp.Or(c.MinLimit, 4)
	c.MaxLimit = cmp.Or(c.MaxLimit, max(1000, c.MinLimit))
	c.InitialLimit = cmp.Or(c.InitialLimit, min(c.MaxLimit, max(64, c.MinLimit)))
	c.Queue = cmp.Or(c.Queue, 256)
	c.QueueWait = cmp.Or(c.QueueWait, 50*time.Millisecond)
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
	if c.MinLimit < 1 {
		complain("OVERLOAD_MIN_LIMIT=%d: write 1 or more", c.MinLimit)
	}
	if c.MinLimit > c.MaxLimit {
		complain("OVERLOAD_MIN_LIMIT=%d is above OVERLOAD_MAX_LIMIT=%d; lower the one or raise the other", c.MinLimit, c.MaxLimit)
	}
	if c.MaxLimit > mostLimit {
		complain("OVERLOAD_MAX_LIMIT=%d: write %d or less", c.MaxLimit, mostLimit)
	}
	if c.InitialLimit < c.MinLimit || c.InitialLimit > c.MaxLimit {
		complain("OVERLOAD_INITIAL_LIMIT=%d: write %d to %d, which are OVERLOAD_MIN_LIMIT and OVERLOAD_MAX_LIMIT",
			c.InitialLimit, c.MinLimit, c.MaxLimit)
	}
	if c.Queue < 1 {
		complain("OVERLOAD_QUEUE=%d: write 1 or more", c.Queue)
	}
	if c.QueueWait < time.Millisecond {
		complain("OVERLOAD_QUEUE_WAIT=%s: write 1ms or more", c.QueueWait)
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
