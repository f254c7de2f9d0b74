package templates

import (
	"errors"
	"strconv"
)

// CloudRunCPUs are the whole CPUs of a replica on Cloud Run.
func (v view) CloudRunCPUs() (int, error) {
	cpus, _, err := v.onCloudRun()
	return cpus, err
}

// CloudRunMemory is the memory of a replica on Cloud Run, in the notation of
// Kubernetes.
func (v view) CloudRunMemory() (string, error) {
	_, mebibytes, err := v.onCloudRun()
	return strconv.Itoa(mebibytes) + "Mi", err
}

// CloudRunMemoryLimit is nine tenths of that, as Go reads GOMEMLIMIT.
func (v view) CloudRunMemoryLimit() (string, error) {
	_, mebibytes, err := v.onCloudRun()
	return strconv.Itoa(mebibytes*9/10) + "MiB", err
}

func (v view) onCloudRun() (cpus, mebibytes int, err error) {
	cpus, mebibytes, ok := v.Deploy.Resources.OnCloudRun()
	if !ok {
		err = errors.New("deploy.resources are more than Cloud Run gives")
	}
	return cpus, mebibytes, err
}
