package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxExponent is what an exponent may be at most, above and below zero. resource.ParseQuantity computes the power of
// ten: of 1e-2000000000 it never returns.
const maxExponent = 999

// ExponentError is the error of a number that takes too long to compute.
type ExponentError struct {
	// Path of the value from the root of the text: "containers[0].resources.limits.cpu".
	Path string
	// Value as it is written.
	Value string
}

// Error implements error.
func (e *ExponentError) Error() string {
	return fmt.Sprintf("%s: %q has an exponent beyond %d: write the quantity with a suffix, such as 100m or 2Gi", e.Path, e.Value, maxExponent)
}

// CheckExponents returns an ExponentError for the first number, or string that reads as one, whose exponent is out of
// bounds and that may stand for a quantity. Where no quantity can stand, as in labels and in lists, such text is let be.
// A text that is no JSON is checked as far as it is.
func CheckExponents(text []byte) error {
	if !longExponent(text) {
		return nil
	}
	e := exponents{decoder: json.NewDecoder(bytes.NewReader(text))}
	e.decoder.UseNumber()
	// Whoever reads a text that is no JSON will say what is wrong with it.
	var found *ExponentError
	if errors.As(e.value(nil, false, 0), &found) {
		return found
	}
	return nil
}

// longExponent tells whether digits enough for an exponent out of bounds stand behind an e that follows a number.
// Four digits in a row cannot be missed by looking at every fourth byte.
func longExponent(text []byte) bool {
	const digits = 4
	for i := digits - 1; i < len(text); i += digits {
		if !isDigit(text[i]) {
			continue
		}
		start := i
		for start > 0 && isDigit(text[start-1]) {
			start--
		}
		end := i + 1
		for end < len(text) && isDigit(text[end]) {
			end++
		}
		mark := start - 1
		if mark > 0 && (text[mark] == '+' || text[mark] == '-') {
			mark--
		}
		if end-start >= digits && mark > 0 && (text[mark] == 'e' || text[mark] == 'E') && (isDigit(text[mark-1]) || text[mark-1] == '.') {
			return true
		}
		// The last digit of the run was seen; the next run begins behind it.
		i = end - 1
	}
	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// exponents walks over a text in which longExponent found something.
type exponents struct {
	decoder *json.Decoder
}

// value passes one value that stands at a path; free tells that no quantity can stand there.
func (e *exponents) value(path []string, free bool, depth int) error {
	token, err := e.decoder.Token()
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("reading JSON: values nest deeper than %d", maxDepth)
	}
	switch token := token.(type) {
	case json.Delim:
		for i := 0; e.decoder.More(); i++ {
			if token == '[' {
				err = e.value(append(slices.Clip(path), fmt.Sprintf("[%d]", i)), true, depth+1)
			} else {
				err = e.member(path, depth)
			}
			if err != nil {
				return err
			}
		}
		_, err = e.decoder.Token()
		return err
	case string:
		return tooLong(path, token, free)
	case json.Number:
		return tooLong(path, token.String(), free)
	}
	return nil
}

// member passes one key and its value.
func (e *exponents) member(path []string, depth int) error {
	token, err := e.decoder.Token()
	if err != nil {
		return err
	}
	key, _ := token.(string)
	free := key == "value" || key == "name" || key == "image" ||
		len(path) > 0 && slices.Contains(textMaps(), path[len(path)-1])
	return e.value(append(slices.Clip(path), "."+key), free, depth+1)
}

// textMaps are the maps of Kubernetes whose values are text of people, as they stand in a path.
func textMaps() []string {
	return []string{".labels", ".annotations", ".matchLabels", ".selector", ".nodeSelector", ".data", ".stringData", ".binaryData"}
}

func tooLong(path []string, value string, free bool) error {
	if free || !longExponent([]byte(value)) {
		return nil
	}
	match := regexp.MustCompile(`^\s*[+-]?[0-9.]+[eE]([+-]?[0-9]+)\s*$`).FindStringSubmatch(value)
	if match == nil {
		return nil
	}
	exponent, err := strconv.Atoi(match[1])
	if err == nil && exponent >= -maxExponent && exponent <= maxExponent {
		return nil
	}
	return &ExponentError{Path: strings.TrimPrefix(strings.Join(path, ""), "."), Value: value}
}
