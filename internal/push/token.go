package push

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// Token reads the token from the file, or from the environment variable if there is no file. It may be
// empty.
func Token(getenv func(string) string, variable, file string) (string, error) {
	source, token := variable, getenv(variable)
	if file != "" {
		src, err := userfile.Read(file, userfile.Limit)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		source, token = "--token-file: "+file, string(src)
	}
	token = strings.TrimSpace(token)
	if file != "" && token == "" {
		return "", fmt.Errorf("%s is empty; write the token into it", source)
	}
	if strings.ContainsFunc(token, unicode.IsControl) {
		return "", fmt.Errorf("%s has more than one line; write only the token", source)
	}
	return token, nil
}
