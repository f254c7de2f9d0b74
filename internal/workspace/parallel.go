package workspace

import (
	"sync"
	"sync/atomic"
)

// writers is the number of files that are written and synced in parallel. Parallel syncs share a
// commit of the file system's journal; 32 writers are not faster.
const writers = 16

// parallel runs the task for all items, up to writers in parallel, until one fails. It returns the
// error of the first failed item.
func parallel[T any](items []T, task func(T) error) error {
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
