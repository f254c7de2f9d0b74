package push

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Attempts and pauses: about eight seconds in all, enough for a restart of
// a server behind a balancer and short enough for somebody who waits.
const (
	attempts   = 5
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
	noRetry    = time.Duration(-1)
)

// backoff doubles with each attempt. Up to half is left to chance, so that many
// pipelines do not come back together.
func backoff(attempt int) time.Duration {
	pause := firstPause << attempt
	return pause/2 + rand.N(pause/2+1)
}

// pauseAfter is how long an answer asks to wait, and below zero when the same
// request would get the same answer.
func pauseAfter(resp *http.Response) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode < http.StatusInternalServerError {
		return noRetry
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxPause)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
