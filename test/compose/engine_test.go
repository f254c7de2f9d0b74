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

// version is an interface of the engine that Compose may speak.
const version = "1.51"

// container is what Compose asks the engine to create.
type container struct {
	Name       string            `json:"-"` // of the query, not of the body
	Files      []string          `json:"-"` // copied into the container before it starts
	Image      string            `json:"Image"`
	Cmd        []string          `json:"Cmd"`
	Labels     map[string]string `json:"Labels"`
	HostConfig struct {
		Binds        []string `json:"Binds"`
		PortBindings map[string][]struct {
			HostIP   string `json:"HostIp"` //nolint:tagliatelle // the engine's spelling
			HostPort string `json:"HostPort"`
		} `json:"PortBindings"`
		Mounts []struct {
			Type   string `json:"Type"`
			Source string `json:"Source"`
			Target string `json:"Target"`
		} `json:"Mounts"`
	} `json:"HostConfig"`
}

// service is the part of the stack that a container runs.
func (c container) service() string { return c.Labels["com.docker.compose.service"] }

// engine answers as Docker's does and runs nothing. It is safe for concurrent
// use.
type engine struct {
	mu       sync.Mutex
	images   map[string]bool
	networks map[string]json.RawMessage
	volumes  map[string]json.RawMessage
	created  map[string]container
	started  []container // in order
	unknown  []string    // questions that it has no answer for
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
	question := strings.TrimPrefix(r.URL.Path, "/v"+version)
	kind, rest, _ := strings.Cut(strings.TrimPrefix(question, "/"), "/")
	switch kind {
	case "_ping":
		fmt.Fprint(w, "OK")
	case "version", "info":
		reply(w, http.StatusOK, map[string]any{"ApiVersion": version, "OSType": "linux", "ServerVersion": "28.5.0"})
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
		e.refuse(w, r)
	}
}

func reply(w http.ResponseWriter, status int, answer any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) //nolint:errchkjson // who does not listen gets no answer
}

func missing(w http.ResponseWriter, what string) {
	reply(w, http.StatusNotFound, map[string]string{"message": "No such " + what})
}

func (e *engine) refuse(w http.ResponseWriter, r *http.Request) {
	e.unknown = append(e.unknown, r.Method+" "+r.URL.Path)
	missing(w, r.URL.Path)
}

// image answers for images, which exist once they were pulled.
func (e *engine) image(w http.ResponseWriter, r *http.Request, rest string) {
	switch name, question := path.Split(rest); {
	case r.Method == http.MethodPost && rest == "create":
		pulled := strings.TrimPrefix(r.URL.Query().Get("fromImage"), "docker.io/") + ":" + r.URL.Query().Get("tag")
		e.images[pulled] = true
		reply(w, http.StatusOK, map[string]string{"status": "pulled " + pulled})
	case question == "json" && e.images[strings.TrimSuffix(name, "/")]:
		reply(w, http.StatusOK, map[string]any{"Id": "sha256:" + strings.Repeat("0", 64), "Config": map[string]any{}})
	case question == "json":
		missing(w, "image")
	default:
		e.refuse(w, r)
	}
}

// named answers for what has a name and is not run: networks and volumes.
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
		kept, err := json.Marshal(object)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		all[name] = kept
		reply(w, http.StatusCreated, object)
	case r.Method == http.MethodGet && rest == "":
		list := make([]json.RawMessage, 0, len(all))
		for _, object := range all {
			list = append(list, object)
		}
		if strings.HasSuffix(r.URL.Path, "/volumes") {
			reply(w, http.StatusOK, map[string]any{"Volumes": list})
			return
		}
		reply(w, http.StatusOK, list)
	case r.Method == http.MethodGet && all[rest] != nil:
		reply(w, http.StatusOK, all[rest])
	case r.Method == http.MethodGet:
		missing(w, rest)
	default:
		e.refuse(w, r)
	}
}

// container answers for containers, which run from their start on.
func (e *engine) container(w http.ResponseWriter, r *http.Request, rest string, body []byte) {
	id, question, _ := strings.Cut(rest, "/")
	known, ok := e.created[id]
	switch {
	case r.Method == http.MethodPost && rest == "create":
		c := container{Name: r.URL.Query().Get("name")}
		if err := json.Unmarshal(body, &c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		e.created[c.Name] = c
		reply(w, http.StatusCreated, map[string]any{"Id": c.Name})
	case r.Method == http.MethodGet && rest == "json":
		reply(w, http.StatusOK, e.list())
	case r.Method == http.MethodPut && ok && question == "archive":
		names, err := archived(r.URL.Query().Get("path"), body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		known.Files = append(known.Files, names...)
		e.created[id] = known
		w.WriteHeader(http.StatusOK)
	case ok && question == "start":
		e.started = append(e.started, known)
		w.WriteHeader(http.StatusNoContent)
	case ok && question == "json":
		reply(w, http.StatusOK, map[string]any{
			"Id": id, "Name": "/" + id, "State": map[string]any{"Status": e.state(id), "Running": e.state(id) == "running"},
			"Config": map[string]any{"Image": known.Image, "Labels": known.Labels}, "HostConfig": map[string]any{},
			"NetworkSettings": map[string]any{"Networks": map[string]any{}},
		})
	default:
		e.refuse(w, r)
	}
}

// archived lists the paths of the files in an archive, which is unpacked in the directory.
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
