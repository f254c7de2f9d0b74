package push

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Attempts and pauses. The total is about eight seconds, enough for a restart behind a load balancer.
const (
	attempts   = 5
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
	noRetry    = time.Duration(-1)
)

// backoff doubles with each attempt, with up to half of jitter, so that pipelines do not retry
// simultaneously.
func backoff(attempt int) time.Duration {
	pause := firstPause << attempt
	return pause/2 + rand.N(pause/2+1)
}

// pauseAfter returns the pause of Retry-After, or noRetry if a retry cannot succeed.
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
