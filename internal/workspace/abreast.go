package workspace

import (
	"sync"
	"sync/atomic"
)

// writers is how many files are written and synced at a time. Syncs that wait
// together go to the disk in one commit of its journal; twice as many writers gain
// nothing more.
const writers = 16

// abreast gives each item to the task, several at a time, until one fails, and
// returns the error of the earliest item.
func abreast[T any](items []T, task func(T) error) error {
	var (
		running sync.WaitGroup
		failed  atomic.Bool
		errs    = make([]error, len(items))
		slots   = make(chan struct{}, writers)
	)
	for i, item := range items {
		slots <- struct{}{}
		if failed.Load() {
			break
		}
		running.Go(func() {
			defer func() { <-slots }()
			if errs[i] = task(item); errs[i] != nil {
				failed.Store(true)
			}
		})
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
