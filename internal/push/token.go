package push

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// Token reads the token out of the file, or out of the variable when no file is
// named. None is fine for a server that asks for none.
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
		return "", fmt.Errorf("%s holds more than one line; it may hold nothing but the token", source)
	}
	return token, nil
}
