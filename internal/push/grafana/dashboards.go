package grafana

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/observability-first/scaffold/internal/push"
	"github.com/observability-first/scaffold/internal/source/userfile"
)

// Version returns the version of Grafana, as in 13.2.3. It is empty if Grafana hides it.
func (c *Client) Version(ctx context.Context) (string, error) {
	var response struct {
		Version  string  `json:"version"`
		Database *string `json:"database"`
	}
	err := c.do(ctx, request{method: http.MethodGet, path: []string{"api", "health"}, response: &response, what: "read the version"})
	if err == nil && response.Database == nil {
		return "", fmt.Errorf("read the version: the server at %s is not Grafana; check the URL", c.transport.Address())
	}
	return response.Version, err
}

// Existing is a dashboard in Grafana.
type Existing struct {
	Found       bool
	Provisioned bool // loaded from a file and read-only
	FolderUID   string
}

// Find returns the dashboard with the uid.
func (c *Client) Find(ctx context.Context, uid string) (Existing, error) {
	var response struct {
		Meta struct {
			Provisioned bool   `json:"provisioned"`
			FolderUID   string `json:"folderUid"`
		} `json:"meta"`
	}
	err := c.do(ctx, request{
		method: http.MethodGet, path: []string{"api", "dashboards", "uid", uid}, response: &response, what: "look up dashboard " + uid,
	})
	if push.IsNotFound(err) {
		return Existing{}, nil
	}
	return Existing{Found: err == nil, Provisioned: response.Meta.Provisioned, FolderUID: response.Meta.FolderUID}, err
}

// folder is a Grafana folder.
type folder struct {
	UID   string `json:"uid"`
	Title string `json:"title"`
}

// maxFolders is Grafana's maximum page size.
const maxFolders = 1000

// FindFolder returns the uid of the folder with the title, empty if there is none.
func (c *Client) FindFolder(ctx context.Context, title string) (string, error) {
	var response []folder
	query := url.Values{"limit": {strconv.Itoa(maxFolders)}}
	err := c.do(ctx, request{method: http.MethodGet, path: []string{"api", "folders"}, query: query, response: &response, what: "list folders"})
	if err != nil {
		return "", err
	}
	for _, f := range response {
		if f.Title == title {
			return f.UID, nil
		}
	}
	return "", nil
}

// Folder returns the uid of the folder with the title, and creates it if there is none.
func (c *Client) Folder(ctx context.Context, title string) (string, error) {
	uid, err := c.FindFolder(ctx, title)
	if err != nil || uid != "" {
		return uid, err
	}
	var made folder
	err = c.do(ctx, request{
		method: http.MethodPost, path: []string{"api", "folders"}, body: map[string]string{"title": title}, response: &made,
		what: fmt.Sprintf("create folder %q", title),
	})
	return made.UID, err
}

// Dashboard is a dashboard to save.
type Dashboard struct {
	JSON      json.RawMessage // classic dashboard JSON with a uid
	FolderUID string          // empty for the general folder
	Message   string          // message in the history of the dashboard
}

// Head identifies a dashboard.
type Head struct {
	UID   string `json:"uid"`
	Title string `json:"title"`
}

// Errors of files that are not dashboards.
var (
	ErrNoUID   = errors.New("the dashboard has no uid, so each push would create another one; set a uid")
	ErrNoTitle = errors.New("the dashboard has no title; set one")
	ErrKind    = errors.New("not classic dashboard JSON but a resource; export the dashboard as classic JSON")
)

// ReadHead reads uid and title of a dashboard. It rejects other formats.
func ReadHead(src []byte) (Head, error) {
	var dashboard struct {
		Head

		Kind string `json:"kind"`
	}
	err := json.Unmarshal(src, &dashboard)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return Head{}, fmt.Errorf("not dashboard JSON: unexpected %s; export the dashboard again", wrong.Value)
	}
	if err != nil && !userfile.IsJSON(src) {
		return Head{}, errors.New("not dashboard JSON; export the dashboard again, or pass another file")
	}
	if err != nil {
		return Head{}, fmt.Errorf("not dashboard JSON: %w", err)
	}
	switch {
	case dashboard.Kind != "":
		return Head{}, ErrKind
	case dashboard.UID == "":
		return Head{}, ErrNoUID
	case dashboard.Title == "":
		return Head{}, ErrNoTitle
	}
	return dashboard.Head, nil
}

// ErrProvisioned is the error of a dashboard that Grafana loads from a file.
var ErrProvisioned = errors.New(provisioned)

// Save creates or replaces the dashboard with the uid and returns its URL.
func (c *Client) Save(ctx context.Context, b Dashboard) (string, error) {
	head, err := ReadHead(b.JSON)
	if err != nil {
		return "", err
	}
	var dashboard map[string]json.RawMessage
	if err := json.Unmarshal(b.JSON, &dashboard); err != nil {
		return "", fmt.Errorf("save dashboard %s: %w", head.UID, err)
	}
	// An id of another Grafana would overwrite a different dashboard.
	dashboard["id"] = json.RawMessage("null")
	delete(dashboard, "version")
	var saved struct {
		URL string `json:"url"`
	}
	err = c.do(ctx, request{
		method: http.MethodPost, path: []string{"api", "dashboards", "db"}, response: &saved, what: "save dashboard " + head.UID,
		body: map[string]any{"dashboard": dashboard, "folderUid": b.FolderUID, "overwrite": true, "message": b.Message},
	})
	if err != nil {
		return "", err
	}
	return c.transport.Origin() + saved.URL, nil
}
