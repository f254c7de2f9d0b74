package pipelines

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/util/jsonpath"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// cluster is the state of the fake kubectl: a Deployment and its revisions. It is stored in
// the directory $CLUSTER, with a log of the calls.
type cluster struct {
	dir       string
	Revisions []revision `json:"revisions"` // oldest first; the last one is current
	Next      int        `json:"next"`
}

type revision struct {
	Number int    `json:"number"`
	Image  string `json:"image"`
}

// behavior is the file with the behavior of the cluster, in these words:
//
//	unreachable     the API server is not reachable
//	forbidden       the user may not change Deployments
//	rejects         the API server rejects the release, also in a dry run
//	rejects-part    the API server rejects a part of the release
//	no-delete       the user may not delete ReplicaSets
//	new-not-ready   pods of images without "v1" do not become ready
//	not-ready       no pods become ready
const behavior = "behavior"

func (c *cluster) is(word string) bool {
	data, err := os.ReadFile(filepath.Join(c.dir, behavior))
	return err == nil && slices.Contains(strings.Fields(string(data)), word)
}

// fakeKubectl implements the calls of kubectl in ./ci. Other calls are errors.
func fakeKubectl() {
	c := &cluster{dir: os.Getenv("CLUSTER"), Next: 1}
	if err := c.call(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (c *cluster) call(args []string) error {
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	fmt.Fprintln(log, strings.Join(args, " "))
	if err := log.Close(); err != nil {
		return err
	}
	state := filepath.Join(c.dir, "state.json")
	if data, err := os.ReadFile(state); err == nil {
		if err := json.Unmarshal(data, c); err != nil {
			return err
		}
	}
	err = c.respond(args)
	data, encodeErr := json.Marshal(c)
	return errors.Join(err, encodeErr, os.WriteFile(state, data, 0o644))
}

func (c *cluster) respond(args []string) error {
	f := flag.NewFlagSet("kubectl", flag.ContinueOnError)
	text := map[string]*string{}
	for _, name := range []string{"namespace", "output", "timeout", "to-revision", "selector", "sort-by", "tail", "field-manager", "filename", "dry-run"} {
		text[name] = f.String(name, "", "")
	}
	for _, name := range []string{"server-side", "force-conflicts", "ignore-not-found", "all-containers", "previous"} {
		f.Bool(name, false, "")
	}
	words, err := parseAnywhere(f, args)
	if err != nil {
		return err
	}
	call := strings.Join(words, " ")
	if words[0] == "kustomize" {
		return kustomize(words[1])
	}
	if os.Getenv("KUBECONFIG") == "" || c.is("unreachable") {
		return errors.New("The connection to the server localhost:8080 was refused - did you specify the right host or port?")
	}
	if words[0] != "apply" && *text["namespace"] == "" {
		return fmt.Errorf("%s: no namespace", call)
	}
	switch {
	case call == "auth can-i patch deployments.apps":
		if c.is("forbidden") {
			fmt.Println("no")
			return errors.New("")
		}
		fmt.Println("yes")
		return nil
	case call == "apply":
		return c.apply(*text["filename"], *text["dry-run"])
	case call == "get deployment orders":
		return c.show(*text["output"], c.deployment())
	case call == "get replicasets":
		return c.show(*text["output"], c.replicaSets())
	case call == "rollout status deployment/orders":
		return c.status(*text["timeout"])
	case strings.HasPrefix(call, "delete replicaset "):
		return c.deleteReplicaSet(strings.TrimPrefix(call, "delete replicaset "))
	case call == "rollout undo deployment/orders":
		return c.undo(*text["to-revision"])
	case call == "get pods" && *text["output"] == "name":
		fmt.Println("pod/orders-new-1")
	case call == "get pods":
		fmt.Println("NAME           READY   STATUS             RESTARTS\norders-new-1   0/1     CrashLoopBackOff   4")
	case call == "get events":
		fmt.Println("2m   Warning   BackOff   pod/orders-new-1   Back-off restarting failed container")
	case call == "logs pod/orders-new-1":
		fmt.Println(`{"level":"ERROR","msg":"POSTGRES_URL is not set"}`)
	default:
		return fmt.Errorf("the fake kubectl does not implement %q", strings.Join(args, " "))
	}
	return nil
}

// parseAnywhere parses flags at any position, as kubectl does.
func parseAnywhere(f *flag.FlagSet, args []string) ([]string, error) {
	f.SetOutput(io.Discard)
	var words []string
	for len(args) > 0 {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		if args = f.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	if len(words) == 0 {
		return nil, errors.New("kubectl without a command")
	}
	return words, nil
}

// kustomize runs the real kustomize.
func kustomize(dir string) error {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return err
	}
	text, err := resources.AsYaml()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

// apply rolls out the image in the release.
func (c *cluster) apply(file, dryRun string) error {
	if c.is("rejects") {
		return errors.New(`The Deployment "orders" is invalid: spec.template.spec.containers[0].image: Required value`)
	}
	if dryRun != "" {
		return nil
	}
	image, err := imageOf(file)
	if err != nil {
		return err
	}
	if len(c.Revisions) == 0 || c.Revisions[len(c.Revisions)-1].Image != image {
		c.Revisions = append(c.Revisions, revision{c.Next, image})
		c.Next++
	}
	fmt.Println("deployment.apps/orders serverside-applied")
	if c.is("rejects-part") {
		return errors.New("Error from server (InternalError): poddisruptionbudgets.policy is unavailable")
	}
	return nil
}

func imageOf(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	for {
		var object struct {
			Kind string `yaml:"kind"`
			Spec struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Image string `yaml:"image"`
						} `yaml:"containers"`
					} `yaml:"spec"`
				} `yaml:"template"`
			} `yaml:"spec"`
		}
		if err := dec.Decode(&object); err != nil {
			return "", fmt.Errorf("no Deployment: %w", err)
		}
		if object.Kind == "Deployment" {
			return object.Spec.Template.Spec.Containers[0].Image, nil
		}
	}
}

// status returns a timeout if the current pods do not become ready.
func (c *cluster) status(timeout string) error {
	last := c.Revisions[len(c.Revisions)-1]
	if c.is("not-ready") || c.is("new-not-ready") && !strings.Contains(last.Image, "v1") {
		return errors.New("error: timed out waiting for the condition after " + timeout)
	}
	fmt.Println(`deployment "orders" successfully rolled out`)
	return nil
}

// undo makes an old revision the current one, with a new number.
func (c *cluster) undo(to string) error {
	at := len(c.Revisions) - 2
	if to != "" {
		number, err := strconv.Atoi(to)
		if err != nil {
			return err
		}
		at = slices.IndexFunc(c.Revisions, func(r revision) bool { return r.Number == number })
	}
	if at < 0 {
		return errors.New("error: no rollout history found for deployment \"orders\"")
	}
	if at == len(c.Revisions)-1 {
		fmt.Println("deployment.apps/orders skipped rollback (current template already matches revision " + to + ")")
		return nil
	}
	target := c.Revisions[at]
	c.Revisions = append(slices.Delete(c.Revisions, at, at+1), revision{c.Next, target.Image})
	c.Next++
	fmt.Println("deployment.apps/orders rolled back")
	return nil
}

func replicaSet(r revision) string { return fmt.Sprintf("orders-hash%d", r.Number) }

// deleteReplicaSet deletes an old revision.
func (c *cluster) deleteReplicaSet(name string) error {
	if c.is("no-delete") {
		return fmt.Errorf("Error from server (Forbidden): replicasets.apps %q is forbidden", name)
	}
	at := slices.IndexFunc(c.Revisions, func(r revision) bool { return replicaSet(r) == name })
	if at < 0 || at == len(c.Revisions)-1 {
		return fmt.Errorf("replicaset %q is not of an old revision of orders", name)
	}
	c.Revisions = slices.Delete(c.Revisions, at, at+1)
	fmt.Printf("replicaset.apps %q deleted\n", name)
	return nil
}

const revisionKey = "deployment.kubernetes.io/revision"

func (c *cluster) deployment() map[string]any {
	if len(c.Revisions) == 0 {
		return nil
	}
	last := c.Revisions[len(c.Revisions)-1]
	return map[string]any{
		"metadata": map[string]any{"name": "orders", "annotations": map[string]any{revisionKey: strconv.Itoa(last.Number)}},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"containers": []any{map[string]any{"name": "orders", "image": last.Image}},
		}}},
	}
}

func (c *cluster) replicaSets() map[string]any {
	items := []any{}
	for _, r := range slices.Backward(c.Revisions) {
		items = append(items, map[string]any{"metadata": map[string]any{
			"name": replicaSet(r), "annotations": map[string]any{revisionKey: strconv.Itoa(r.Number)},
			"labels":          map[string]any{"pod-template-hash": fmt.Sprintf("hash%d", r.Number)},
			"ownerReferences": []any{map[string]any{"kind": "Deployment", "name": "orders"}},
		}})
	}
	// A ReplicaSet of another Deployment, which ./ci must not change.
	items = append(items, map[string]any{"metadata": map[string]any{
		"name": "canary-1", "annotations": map[string]any{revisionKey: "2"}, "labels": map[string]any{"pod-template-hash": "canary"},
		"ownerReferences": []any{map[string]any{"kind": "Deployment", "name": "canary"}},
	}})
	return map[string]any{"items": items}
}

// show prints an object with the jsonpath output of kubectl.
func (c *cluster) show(output string, object map[string]any) error {
	text, ok := strings.CutPrefix(output, "jsonpath=")
	if !ok {
		return fmt.Errorf("output %q", output)
	}
	if object == nil {
		return nil // --ignore-not-found
	}
	path := jsonpath.New("x").AllowMissingKeys(true)
	if err := path.Parse(text); err != nil {
		return err
	}
	return path.Execute(os.Stdout, object)
}
