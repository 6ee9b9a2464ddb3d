package report

import (
	"fmt"
	"strings"
	"unicode"
)

// Plain makes text of others fit for one line of a terminal or a log: control characters (C0, C1, line ends and the
// separators of Unicode, marks that turn the direction of writing) are spelled out. What is left can neither steer a
// terminal nor begin a line of its own.
func Plain(text string) string {
	if !strings.ContainsFunc(text, steers) {
		return text
	}
	var plain strings.Builder
	for _, r := range text {
		switch {
		case !steers(r):
			plain.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&plain, `\x%02x`, r)
		default:
			fmt.Fprintf(&plain, `\u%04x`, r)
		}
	}
	return plain.String()
}

// steers tells whether a character is not for reading.
func steers(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) || r == '\u2028' || r == '\u2029'
}
