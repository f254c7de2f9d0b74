package grafana

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
)

// WrongType says what is wrong with a value of another type, such as "x is a string, not a number"; empty for other
// errors. The path of the value follows the prefix.
func WrongType(prefix string, err error) string {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return ""
	}
	path := strings.Trim(prefix+"."+wrong.Field, ".")
	if path == "" {
		path = "it"
	}
	value, number, _ := strings.Cut(wrong.Value, " ")
	names := map[string]string{"string": "a string", "number": "a number", "bool": "a boolean", "array": "a list", "object": "an object"}
	if number != "" {
		return path + " is " + number + ", not a whole number"
	}
	return path + " is " + names[value] + ", not " + typeName(wrong.Type)
}

// typeName returns the name of a type in JSON.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a number"
}
