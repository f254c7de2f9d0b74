package main

import (
	"os/exec"
	"regexp"
	"testing"
)

// Both handlers respond alike, or the comparison would not be fair.
func TestHandlersRespondAlike(t *testing.T) {
	t.Parallel()
	program, err := buildHandlers(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	varies := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[0-9:.]+Z|\s+$`)
	for _, request := range handlerRequests() {
		respond := func(byHand string) string {
			out, err := exec.CommandContext(t.Context(), program, "-request", request, byHand).CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", request, err, out)
			}
			return varies.ReplaceAllString(string(out), "")
		}
		if generated, byHand := respond("-by-hand=false"), respond("-by-hand=true"); generated != byHand {
			t.Errorf("%s: responses differ: generated\n%s\nby hand\n%s", request, generated, byHand)
		}
	}
}

func TestHandlerRatioLimit(t *testing.T) {
	t.Parallel()
	if err := checkHandlers([]handlerRow{{"get", 125, 100}, {"invalid", 300, 100}}); err != nil {
		t.Errorf("ratios within the limit are rejected: %v", err)
	}
	if checkHandlers([]handlerRow{{"list", 126, 100}}) == nil {
		t.Error("a ratio above the limit passes")
	}
}
