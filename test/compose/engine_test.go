package compose

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
)

// version is an API version of the engine that Compose supports.
const version = "1.51"

// container is a request to create a container.
type container struct {
	Name       string            `json:"-"` // from the query, not from the body
	Files      []string          `json:"-"` // copied into the container before it starts
	Image      string            `json:"Image"`
	Cmd        []string          `json:"Cmd"`
	Labels     map[string]string `json:"Labels"`
	HostConfig struct {
		Binds        []string `json:"Binds"`
		PortBindings map[string][]struct {
			HostIP   string `json:"HostIp"` //nolint:tagliatelle // spelled as in the API
			HostPort string `json:"HostPort"`
		} `json:"PortBindings"`
		Mounts []struct {
			Type   string `json:"Type"`
			Source string `json:"Source"`
			Target string `json:"Target"`
		} `json:"Mounts"`
	} `json:"HostConfig"`
}

// service returns the name of the service in the Compose file.
func (c container) service() string { return c.Labels["com.docker.compose.service"] }

// engine implements the part of the Docker API that Compose uses, and runs nothing.
// It is safe for concurrent use.
type engine struct {
	mu       sync.Mutex
	images   map[string]bool
	networks map[string]json.RawMessage
	volumes  map[string]json.RawMessage
	created  map[string]container
	started  []container // in order
	unknown  []string    // requests that are not implemented
}

func newEngine() *engine {
	return &engine{
		images: map[string]bool{}, networks: map[string]json.RawMessage{},
		volumes: map[string]json.RawMessage{}, created: map[string]container{},
	}
}

// ServeHTTP implements [http.Handler].
func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Api-Version", version)
	w.Header().Set("Content-Type", "application/json")
	resource := strings.TrimPrefix(r.URL.Path, "/v"+version)
	kind, rest, _ := strings.Cut(strings.TrimPrefix(resource, "/"), "/")
	switch kind {
	case "_ping":
		fmt.Fprint(w, "OK")
	case "version", "info":
		respond(w, http.StatusOK, map[string]any{"ApiVersion": version, "OSType": "linux", "ServerVersion": "28.5.0"})
	case "events":
		w.WriteHeader(http.StatusOK)
	case "images":
		e.image(w, r, rest)
	case "networks":
		e.named(w, r, rest, body, e.networks)
	case "volumes":
		e.named(w, r, rest, body, e.volumes)
	case "containers":
		e.container(w, r, rest, body)
	default:
		e.reject(w, r)
	}
}

func respond(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // Compose reports an incomplete response
}

func notFound(w http.ResponseWriter, what string) {
	respond(w, http.StatusNotFound, map[string]string{"message": "No such " + what})
}

func (e *engine) reject(w http.ResponseWriter, r *http.Request) {
	e.unknown = append(e.unknown, r.Method+" "+r.URL.Path)
	notFound(w, r.URL.Path)
}

// image handles requests for images. An image exists after it was pulled.
func (e *engine) image(w http.ResponseWriter, r *http.Request, rest string) {
	switch name, action := path.Split(rest); {
	case r.Method == http.MethodPost && rest == "create":
		pulled := strings.TrimPrefix(r.URL.Query().Get("fromImage"), "docker.io/") + ":" + r.URL.Query().Get("tag")
		e.images[pulled] = true
		respond(w, http.StatusOK, map[string]string{"status": "pulled " + pulled})
	case action == "json" && e.images[strings.TrimSuffix(name, "/")]:
		respond(w, http.StatusOK, map[string]any{"Id": "sha256:" + strings.Repeat("0", 64), "Config": map[string]any{}})
	case action == "json":
		notFound(w, "image")
	default:
		e.reject(w, r)
	}
}

// named handles requests for networks and volumes.
func (e *engine) named(w http.ResponseWriter, r *http.Request, rest string, body []byte, all map[string]json.RawMessage) {
	switch {
	case r.Method == http.MethodPost && rest == "create":
		var object map[string]any
		if err := json.Unmarshal(body, &object); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		name := fmt.Sprint(object["Name"])
		object["Id"], object["Scope"] = name, "local"
		data, err := json.Marshal(object)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		all[name] = data
		respond(w, http.StatusCreated, object)
	case r.Method == http.MethodGet && rest == "":
		list := make([]json.RawMessage, 0, len(all))
		for _, object := range all {
			list = append(list, object)
		}
		if strings.HasSuffix(r.URL.Path, "/volumes") {
			respond(w, http.StatusOK, map[string]any{"Volumes": list})
			return
		}
		respond(w, http.StatusOK, list)
	case r.Method == http.MethodGet && all[rest] != nil:
		respond(w, http.StatusOK, all[rest])
	case r.Method == http.MethodGet:
		notFound(w, rest)
	default:
		e.reject(w, r)
	}
}

// container handles requests for containers. A container runs after its start.
func (e *engine) container(w http.ResponseWriter, r *http.Request, rest string, body []byte) {
	id, action, _ := strings.Cut(rest, "/")
	known, ok := e.created[id]
	switch {
	case r.Method == http.MethodPost && rest == "create":
		c := container{Name: r.URL.Query().Get("name")}
		if err := json.Unmarshal(body, &c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		e.created[c.Name] = c
		respond(w, http.StatusCreated, map[string]any{"Id": c.Name})
	case r.Method == http.MethodGet && rest == "json":
		respond(w, http.StatusOK, e.list())
	case r.Method == http.MethodPut && ok && action == "archive":
		names, err := archived(r.URL.Query().Get("path"), body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		known.Files = append(known.Files, names...)
		e.created[id] = known
		w.WriteHeader(http.StatusOK)
	case ok && action == "start":
		e.started = append(e.started, known)
		w.WriteHeader(http.StatusNoContent)
	case ok && action == "json":
		respond(w, http.StatusOK, map[string]any{
			"Id": id, "Name": "/" + id, "State": map[string]any{"Status": e.state(id), "Running": e.state(id) == "running"},
			"Config": map[string]any{"Image": known.Image, "Labels": known.Labels}, "HostConfig": map[string]any{},
			"NetworkSettings": map[string]any{"Networks": map[string]any{}},
		})
	default:
		e.reject(w, r)
	}
}

// archived returns the paths of the files in an archive when unpacked in the directory.
func archived(directory string, archive []byte) (names []string, err error) {
	files := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		names = append(names, path.Join(directory, header.Name))
	}
}

func (e *engine) list() []map[string]any {
	all := []map[string]any{}
	for id, c := range e.created {
		all = append(all, map[string]any{"Id": id, "Names": []string{"/" + id}, "Image": c.Image, "Labels": c.Labels, "State": e.state(id)})
	}
	return all
}

func (e *engine) state(id string) string {
	if slices.ContainsFunc(e.started, func(c container) bool { return c.Name == id }) {
		return "running"
	}
	return "created"
}
