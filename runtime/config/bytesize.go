package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// ByteSize is a number of bytes. Its text is a whole number with a unit: B, KB, MB, GB (powers of
// 1000) or KiB, MiB, GiB (powers of 1024), in upper or lower case. A number without a unit is
// bytes.
type ByteSize int64

type byteUnit struct {
	suffix string
	bytes  int64
}

// byteUnits returns the largest unit first, and binary units before decimal ones of the same
// rank.
func byteUnits() []byteUnit {
	return []byteUnit{
		{"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"KB", 1e3}, {"B", 1},
	}
}

var errByteSize = errors.New("not a size")

// String returns the size in the largest unit without a fraction: 1MiB, 1500B.
func (b ByteSize) String() string {
	for _, u := range byteUnits() {
		if b != 0 && int64(b)%u.bytes == 0 {
			return strconv.FormatInt(int64(b)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// MarshalText returns the same text as String.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText parses a size such as 1MiB. Negative sizes and sizes beyond an int64 are errors.
func (b *ByteSize) UnmarshalText(text []byte) error {
	number, factor := string(text), int64(1)
	for _, u := range byteUnits() {
		if rest, found := cutSuffixFold(number, u.suffix); found {
			number, factor = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/factor {
		return errByteSize
	}
	*b = ByteSize(int64(n) * factor)
	return nil
}

func cutSuffixFold(s, suffix string) (string, bool) {
	cut := len(s) - len(suffix)
	if cut < 0 || !strings.EqualFold(s[cut:], suffix) {
		return s, false
	}
	return s[:cut], true
}
