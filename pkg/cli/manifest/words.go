package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

// index is a list index as json.UnmarshalTypeError writes it: ".0." between two fields.
var index = regexp.MustCompile(`\.(\d+)(\.|$)`)

// fieldOf returns the path of the field that a decoder's error is about, empty where it names none.
func fieldOf(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return index.ReplaceAllString(wrong.Field, "[$1]$2")
	}
	return ""
}

// wording says in a user's words what a decoder did not like.
func wording(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("%s must be %s, not %s", wrong.Field, typeName(wrong.Type.Kind().String()), wrong.Value)
	}
	return err.Error()
}

// typeName is what people call a Go type's kind in YAML.
func typeName(kind string) string {
	switch kind {
	case "struct", "map":
		return "a mapping"
	case "slice":
		return "a list"
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	}
	return "a number"
}
