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

// Version is the version of the Grafana that answers, as in 13.2.3. It is empty
// when Grafana keeps it to itself.
func (c *Client) Version(ctx context.Context) (string, error) {
	var answer struct {
		Version  string  `json:"version"`
		Database *string `json:"database"`
	}
	err := c.do(ctx, request{method: http.MethodGet, path: []string{"api", "health"}, answer: &answer, what: "ask for the version"})
	if err == nil && answer.Database == nil {
		return "", fmt.Errorf("ask for the version: what answers at %s is not Grafana; check the address", c.transport.Address())
	}
	return answer.Version, err
}

// Existing is a dashboard that Grafana has.
type Existing struct {
	Found       bool
	Provisioned bool // loaded from a file, so that it cannot be saved
	FolderUID   string
}

// Find looks up what a dashboard with the uid would replace.
func (c *Client) Find(ctx context.Context, uid string) (Existing, error) {
	var answer struct {
		Meta struct {
			Provisioned bool   `json:"provisioned"`
			FolderUID   string `json:"folderUid"`
		} `json:"meta"`
	}
	err := c.do(ctx, request{
		method: http.MethodGet, path: []string{"api", "dashboards", "uid", uid}, answer: &answer, what: "look up dashboard " + uid,
	})
	if push.IsNotFound(err) {
		return Existing{}, nil
	}
	return Existing{Found: err == nil, Provisioned: answer.Meta.Provisioned, FolderUID: answer.Meta.FolderUID}, err
}

// folder is one of Grafana's folders.
type folder struct {
	UID   string `json:"uid"`
	Title string `json:"title"`
}

// maxFolders is the most that Grafana lists at once.
const maxFolders = 1000

// FindFolder gives the uid of the folder with the title, empty if there is none.
func (c *Client) FindFolder(ctx context.Context, title string) (string, error) {
	var answer []folder
	query := url.Values{"limit": {strconv.Itoa(maxFolders)}}
	err := c.do(ctx, request{method: http.MethodGet, path: []string{"api", "folders"}, query: query, answer: &answer, what: "list folders"})
	if err != nil {
		return "", err
	}
	for _, f := range answer {
		if f.Title == title {
			return f.UID, nil
		}
	}
	return "", nil
}

// Folder gives the uid of the folder with the title and makes it if there is
// none.
func (c *Client) Folder(ctx context.Context, title string) (string, error) {
	uid, err := c.FindFolder(ctx, title)
	if err != nil || uid != "" {
		return uid, err
	}
	var made folder
	err = c.do(ctx, request{
		method: http.MethodPost, path: []string{"api", "folders"}, body: map[string]string{"title": title}, answer: &made,
		what: fmt.Sprintf("make folder %q", title),
	})
	return made.UID, err
}

// Dashboard is a dashboard to write.
type Dashboard struct {
	JSON      json.RawMessage // classic dashboard JSON with a uid
	FolderUID string          // empty for the general folder
	Message   string          // what the history of the dashboard says about this version
}

// Head is what identifies a dashboard.
type Head struct {
	UID   string `json:"uid"`
	Title string `json:"title"`
}

// Errors of files that are not dashboards.
var (
	ErrNoUID   = errors.New("it has no uid, so that each push would make another dashboard; set one")
	ErrNoTitle = errors.New("it has no title, which Grafana wants; set one")
	ErrKind    = errors.New("it is a resource of the newer kind; push takes classic dashboard JSON")
)

// ReadHead reads what identifies a dashboard, and refuses what is none.
func ReadHead(src []byte) (Head, error) {
	var dashboard struct {
		Head

		Kind string `json:"kind"`
	}
	err := json.Unmarshal(src, &dashboard)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return Head{}, fmt.Errorf("no dashboard JSON: it holds an %s where a dashboard has something else", wrong.Value)
	}
	if err != nil && !userfile.IsJSON(src) {
		return Head{}, errors.New("no dashboard JSON; export the dashboard again, or pass another file")
	}
	if err != nil {
		return Head{}, fmt.Errorf("no dashboard JSON: %w", err)
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

// ErrProvisioned is a dashboard that Grafana loads from a file.
var ErrProvisioned = errors.New(provisioned)

// Save writes a dashboard over the one with its uid and gives its address.
func (c *Client) Save(ctx context.Context, b Dashboard) (string, error) {
	head, err := ReadHead(b.JSON)
	if err != nil {
		return "", err
	}
	var dashboard map[string]json.RawMessage
	if err := json.Unmarshal(b.JSON, &dashboard); err != nil {
		return "", fmt.Errorf("save dashboard %s: %w", head.UID, err)
	}
	// A number from another Grafana would overwrite a stranger's dashboard.
	dashboard["id"] = json.RawMessage("null")
	delete(dashboard, "version")
	var saved struct {
		URL string `json:"url"`
	}
	err = c.do(ctx, request{
		method: http.MethodPost, path: []string{"api", "dashboards", "db"}, answer: &saved, what: "save dashboard " + head.UID,
		body: map[string]any{"dashboard": dashboard, "folderUid": b.FolderUID, "overwrite": true, "message": b.Message},
	})
	if err != nil {
		return "", err
	}
	return c.transport.Origin() + saved.URL, nil
}
