package templates

import (
	"errors"
	"strconv"
)

// CloudRunCPUs returns the whole CPUs of an instance on Cloud Run.
func (v view) CloudRunCPUs() (int, error) {
	cpus, _, err := v.onCloudRun()
	return cpus, err
}

// CloudRunMemory returns the memory of an instance on Cloud Run, in Kubernetes notation.
func (v view) CloudRunMemory() (string, error) {
	_, mebibytes, err := v.onCloudRun()
	return strconv.Itoa(mebibytes) + "Mi", err
}

// CloudRunMemoryLimit returns 90% of that memory, in GOMEMLIMIT notation.
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
