package spec_test

import (
	"fmt"
	"strings"
)

func split(path string) []string { return strings.Split(path, ".") }

func texts(list any) []string {
	var out []string
	for _, item := range list.([]any) {
		out = append(out, fmt.Sprint(item))
	}
	return out
}

func isSLO(path string) bool { return strings.HasPrefix(path, "slos") }

// slos returns an objective in which line replaces the entry with the same key.
func slos(line string) string {
	keys := []string{"name: a", "objective: 99.9", "window: 30d", "indicator: {availability: {}}"}
	key, _, _ := strings.Cut(line, ":")
	for i, k := range keys {
		if strings.HasPrefix(k, key+":") {
			keys[i] = line
			return "slos: [{" + strings.Join(keys, ", ") + "}]"
		}
	}
	return "slos: [{" + strings.Join(append(keys, line), ", ") + "}]"
}
