package spec

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/observability-first/scaffold/slo"
)

// Deploy is how the service is deployed. Durations are whole seconds, as the platforms require.
type Deploy struct {
	// Directory is the directory of the service relative to the root of its repository, with
	// forward slashes; empty if the service is the repository.
	Directory  string     `yaml:"directory"`
	Platforms  []string   `yaml:"platforms"`  // of [Platforms]; none generates no manifests
	Pipelines  []string   `yaml:"pipelines"`  // of [Pipelines]
	Terraform  []string   `yaml:"terraform"`  // of [Clouds]
	Image      string     `yaml:"image"`      // repository without tag or digest
	Replicas   Replicas   `yaml:"replicas"`   // bounds of the autoscaler
	Resources  Resources  `yaml:"resources"`  // of one replica
	Grace      Grace      `yaml:"grace"`      // time to stop
	Autoscale  Autoscale  `yaml:"autoscale"`  // source and targets of the autoscaler
	Gateway    Gateway    `yaml:"gateway"`    // external route; none without a host
	Monitoring Monitoring `yaml:"monitoring"` // location of the scraper
}

// Replicas limits the number of instances.
type Replicas struct {
	Min int `yaml:"min"` // from 1
	Max int `yaml:"max"` // at least Min
}

// Resources are the resources of one replica, in Kubernetes notation.
type Resources struct {
	// CPU is requested but not limited: a limit throttles requests even while the machine is
	// idle. GOMAXPROCS is this value, rounded up.
	CPU string `yaml:"cpu"`
	// Memory is the limit. 90% of it is requested and is GOMEMLIMIT, so that the garbage
	// collector runs more often before the kernel kills the process.
	Memory string `yaml:"memory"`
}

// Grace is the time in which a replica has to stop, and its parts.
type Grace struct {
	Period  time.Duration `yaml:"period"`  // total; default: the sum of the parts
	PreStop time.Duration `yaml:"preStop"` // sleep until load balancers have removed the endpoint
	Drain   time.Duration `yaml:"drain"`   // for requests in flight
	Stop    time.Duration `yaml:"stop"`    // for workers and pools
	Flush   time.Duration `yaml:"flush"`   // for the last traces, metrics and logs
	Margin  time.Duration `yaml:"margin"`  // until the kernel kills the process
}

// StopTimeout is the time for the process itself: the period without the sleep and the margin.
func (g Grace) StopTimeout() time.Duration { return g.Drain + g.Stop + g.Flush }

// Parts is the sum of the parts, the minimum of the period.
func (g Grace) Parts() time.Duration { return g.PreStop + g.StopTimeout() + g.Margin }

// Autoscale configures the autoscaler.
type Autoscale struct {
	// Source is the source of metrics for the autoscaler; see [AutoscaleSources]. A metric
	// without a source stops scaling down.
	Source   string `yaml:"source"`
	CPU      int    `yaml:"cpu"`      // percent of the requested CPU, on average
	InFlight int    `yaml:"inFlight"` // requests in flight in one replica, on average
	// Prometheus is the address that KEDA queries.
	Prometheus string `yaml:"prometheus"`
}

// Gateway is the listener of external routes.
type Gateway struct {
	Host      string `yaml:"host"`      // host name for clients
	Name      string `yaml:"name"`      // of the Gateway object
	Namespace string `yaml:"namespace"` // of the Gateway object
}

// Monitoring is where the scraper runs and what it selects.
type Monitoring struct {
	Namespace string `yaml:"namespace"` // of the scraper and the collector
	// Labels are the labels by which the Prometheus operator selects monitors and rules.
	Labels map[string]string `yaml:"labels"`
}

// Sources of metrics for an autoscaler.
const (
	SourceCPU     = "cpu"
	SourceAdapter = "adapter"
	SourceKEDA    = "keda"
)

// Platforms. Manifests are generated for Kubernetes by default.
const (
	PlatformKubernetes = "kubernetes"
	PlatformCloudRun   = "cloud-run"
)

// Environments lists the environments with an overlay, in the order of a release.
func Environments() []string { return []string{"dev", "staging", "prod"} }

// Platforms lists the platforms that a service can run on.
func Platforms() []string { return []string{PlatformKubernetes, PlatformCloudRun} }

// Pipeline systems.
const (
	PipelineGitHub  = "github"
	PipelineGitLab  = "gitlab"
	PipelineJenkins = "jenkins"
)

// Pipelines lists the systems with generated pipelines.
func Pipelines() []string { return []string{PipelineGitHub, PipelineGitLab, PipelineJenkins} }

// Clouds lists the clouds with a Terraform module.
func Clouds() []string { return []string{"aws", "gcp", "azure"} }

// AutoscaleSources lists the sources of metrics for the autoscaler: only the metrics server of
// the cluster, an additional adapter for custom metrics, or KEDA, which queries Prometheus
// itself.
func AutoscaleSources() []string { return []string{SourceCPU, SourceAdapter, SourceKEDA} }

// RunsOn reports whether the service is deployed to the platform.
func (d Deploy) RunsOn(platform string) bool { return slices.Contains(d.Platforms, platform) }

func (v *validator) deploy() {
	d := v.s.Deploy
	v.check("deploy.directory", CheckDirectory(d.Directory))
	v.oneOfEach("deploy.platforms", "platform", d.Platforms, Platforms())
	v.oneOfEach("deploy.pipelines", "pipeline", d.Pipelines, Pipelines())
	v.oneOfEach("deploy.terraform", "cloud", d.Terraform, Clouds())
	if len(d.Terraform) > 0 && v.s.Telemetry.Metrics != slo.MetricsPush {
		v.problemf("deploy.terraform", "Prometheus does not scrape services on these platforms; write telemetry.metrics: push")
	}
	if v.doc.Has("deploy.image") { // otherwise it is the name, which has its own rule
		v.check("deploy.image", checkImage(d.Image))
	}
	v.replicas()
	v.check("deploy.resources.cpu", checkCPU(d.Resources.CPU))
	v.check("deploy.resources.memory", checkMemory(d.Resources.Memory))
	v.grace()
	v.autoscale()
	v.cloudRun()
	v.gateway()
	v.check("deploy.monitoring.namespace", checkNamespace(d.Monitoring.Namespace))
	v.kubernetesLabels()
}

func (v *validator) oneOfEach(key, what string, chosen, known []string) {
	for i, name := range chosen {
		path := fmt.Sprintf("%s[%d]", key, i)
		v.check(path, checkOneOf(what, name, known))
		if slices.Contains(chosen[:i], name) {
			v.problemf(path, "duplicate value %q; remove one", name)
		}
	}
}

func (v *validator) replicas() {
	r := v.s.Deploy.Replicas
	if r.Min < 1 && r.Min >= 0 { // package slo reports negative values
		v.problemf("deploy.replicas.min", "%d is too few; use 1 or more", r.Min)
	}
	if r.Max == 0 { // package slo reads it as unknown
		v.problemf("deploy.replicas.max", "0 is too few; use 1 or more")
	}
}

// grace checks the sum, which no API server does: Kubernetes compares only the sleep with the
// period, and kills a process that is still draining.
func (v *validator) grace() {
	g := v.s.Deploy.Grace
	sound := true
	for _, part := range []struct {
		key          string
		value, least time.Duration
	}{
		{"preStop", g.PreStop, time.Second}, {"drain", g.Drain, time.Second}, {"stop", g.Stop, 0},
		{"flush", g.Flush, time.Second}, {"margin", g.Margin, 0},
	} {
		sound = v.seconds("deploy.grace."+part.key, part.value, part.least) && sound
	}
	// A file of defaults may leave the period to each service.
	if !sound || g.Period == 0 || !v.seconds("deploy.grace.period", g.Period, 0) || g.Period >= g.Parts() {
		return
	}
	v.problemf("deploy.grace.period",
		"%s is shorter than the sum of its parts, so replicas would be killed while they stop: preStop %s + drain %s + stop %s + flush %s + margin %s; write %s, or shorten a part",
		duration(g.Period), duration(g.PreStop), duration(g.Drain), duration(g.Stop), duration(g.Flush), duration(g.Margin), duration(g.Parts()))
}

// seconds reports whether the value is valid on the platforms and short enough for rollouts.
func (v *validator) seconds(path string, value, least time.Duration) bool {
	switch {
	case value < least:
		v.problemf(path, "%s is too short; use %s or more", value, least)
	case value > time.Hour:
		v.problemf(path, "%s is longer than an hour, and a rollout would wait that long for each replica; use less", value)
	case value%time.Second != 0:
		v.problemf(path, "%s is not a whole number of seconds; write %s", value, value.Truncate(time.Second)+time.Second)
	default:
		return true
	}
	return false
}

func (v *validator) autoscale() {
	a := v.s.Deploy.Autoscale
	v.check("deploy.autoscale.source", checkOneOf("source", a.Source, AutoscaleSources()))
	if a.CPU < 1 || a.CPU > 100 {
		v.problemf("deploy.autoscale.cpu", "%d is not a percentage of the requested CPU; use 1 to 100", a.CPU)
	}
	if a.InFlight < 1 {
		v.problemf("deploy.autoscale.inFlight", "%d is too few requests in flight; use 1 or more", a.InFlight)
	}
	switch u, err := url.Parse(a.Prometheus); {
	case a.Prometheus == "" && a.Source == SourceKEDA:
		v.problemf("deploy.autoscale.prometheus", "KEDA needs the address of Prometheus; write one such as http://prometheus.monitoring:9090")
	case a.Prometheus == "":
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		v.problemf("deploy.autoscale.prometheus", "%s is not an address; write one such as http://prometheus.monitoring:9090", abbreviate(a.Prometheus))
	case u.User != nil:
		v.problemf("deploy.autoscale.prometheus", "the address contains a user name or password; remove it, because everybody can read manifests")
	}
}

func (v *validator) gateway() {
	g := v.s.Deploy.Gateway
	if g.Host == "" {
		if g.Name != "" || g.Namespace != "" {
			v.problemf("deploy.gateway.host", "a gateway without a host routes no requests; write the host name that clients use, or remove the gateway")
		}
		return
	}
	if len(g.Host) > 253 || !hostName.MatchString(g.Host) {
		v.problemf("deploy.gateway.host", "%s is not a host name; write one such as orders.acme.com", abbreviate(g.Host))
	}
	v.check("deploy.gateway.name", checkNamespace(g.Name))
	v.check("deploy.gateway.namespace", checkNamespace(g.Namespace))
}

func (v *validator) kubernetesLabels() {
	for key, value := range v.s.Deploy.Monitoring.Labels {
		prefix, name, slash := strings.Cut(key, "/")
		if !slash {
			prefix, name = "", key
		}
		switch {
		case len(name) > 63 || !labelName.MatchString(name), slash && (len(prefix) > 253 || !hostName.MatchString(prefix)):
			v.problemf("deploy.monitoring.labels", "%s is not a Kubernetes label; write one such as release", abbreviate(key))
		case len(value) > 63 || value != "" && !labelName.MatchString(value):
			v.problemf("deploy.monitoring.labels."+key, "%s is not the value of a Kubernetes label; use letters, digits, '-', '_' and '.', at most 63", abbreviate(value))
		}
	}
}

var (
	// hostName is an RFC 1123 name in lower case.
	hostName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$`)
	// labelName is the last part of a Kubernetes label key, or a nonempty label value.
	labelName = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
	// imageName is a repository of the OCI distribution specification, optionally after a host
	// and port.
	imageName = regexp.MustCompile(`^([a-zA-Z0-9][-a-zA-Z0-9.]*(:[0-9]{1,5})?/)?[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	// directoryName is a path without characters that are special in shells, YAML or path
	// filters, and without the hidden directories of git and other tools.
	directoryName = regexp.MustCompile(`^[A-Za-z0-9_][-A-Za-z0-9_.]*(/[A-Za-z0-9_][-A-Za-z0-9_.]*)*$`)
	cpuAmount     = regexp.MustCompile(`^([0-9]+m|[0-9]+(\.[0-9]{1,3})?)$`)
	memAmount     = regexp.MustCompile(`^([0-9]{1,9})(Mi|Gi)$`)
)

// maxDirectoryLength leaves room for file names within the path limits of systems.
const maxDirectoryLength = 200

// CheckDirectory returns why the text is not a valid directory relative to the root of a
// repository, or nil. Empty is the root.
func CheckDirectory(directory string) error {
	switch {
	case directory == "":
		return nil
	case len(directory) > maxDirectoryLength:
		return fmt.Errorf("%s is longer than %d characters; use a shorter path", abbreviate(directory), maxDirectoryLength)
	case !directoryName.MatchString(directory):
		return fmt.Errorf("%s is not a directory name that every pipeline accepts; write one below the root of the repository such as services/orders, "+
			"each part of letters, digits, '-', '_' and '.', the first a letter, digit or '_'", abbreviate(directory))
	}
	return nil
}

func checkImage(image string) error {
	switch {
	case strings.Contains(image, "@"):
		return fmt.Errorf("%s contains a digest, which differs in each release; write the repository alone, such as ghcr.io/acme/orders", abbreviate(image))
	case strings.LastIndex(image, ":") > strings.LastIndex(image, "/"):
		return fmt.Errorf("%s has a tag, or a port without a repository; write the repository, such as ghcr.io/acme/orders", abbreviate(image))
	case len(image) > 255 || !imageName.MatchString(image):
		return fmt.Errorf("%s is not an image name; write a repository in lower case, such as ghcr.io/acme/orders", abbreviate(image))
	}
	return nil
}

func checkCPU(cpu string) error {
	if !cpuAmount.MatchString(cpu) || strings.Trim(cpu, "0.m") == "" {
		return fmt.Errorf("%s is not an amount of CPU; write one such as 250m or 1.5", abbreviate(cpu))
	}
	return nil
}

// minMemory is a measured minimum: with 32 MiB and GOMEMLIMIT at 90% of it, a service that
// allocates all the time survives.
const minMemory = 32

func checkMemory(memory string) error {
	if !memAmount.MatchString(memory) {
		return fmt.Errorf("%s is not an amount of memory; write one such as 256Mi or 1Gi", abbreviate(memory))
	}
	if mib := (Resources{Memory: memory}).MiB(); mib < minMemory {
		return fmt.Errorf("%s is too little memory for a Go service with telemetry; write %dMi or more", abbreviate(memory), minMemory)
	}
	return nil
}

// MiB returns the memory limit in MiB.
func (r Resources) MiB() int {
	parts := memAmount.FindStringSubmatch(r.Memory)
	if parts == nil {
		return 0
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0 // nine digits fit
	}
	if parts[2] == "Gi" {
		n *= 1024
	}
	return n
}

// MemoryRequest returns the requested memory, which is also GOMEMLIMIT: 90% of the limit, in
// whole MiB.
func (r Resources) MemoryRequest() string { return strconv.Itoa(r.MiB()*9/10) + "Mi" }

// Cores returns the requested CPU in cores.
func (r Resources) Cores() float64 {
	text, milli := strings.CutSuffix(r.CPU, "m")
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return 0 // the spec is valid
	case milli:
		return n / 1000
	}
	return n
}

func checkNamespace(name string) error {
	if len(name) > 63 || !hostName.MatchString(name) || strings.Contains(name, ".") {
		return fmt.Errorf("%s is not a Kubernetes object name; use lower-case letters, digits and hyphens", abbreviate(name))
	}
	return nil
}
