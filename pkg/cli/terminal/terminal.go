package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Is tells whether a stream is a terminal.
func Is(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) //nolint:gosec // a file descriptor is a small int
}

// clear moves the cursor home and erases the screen (ECMA-48 CUP and ED).
const clearScreen = "\x1b[H\x1b[2J"

// Draw writes lines; on a terminal in place of what was there before.
func Draw(w io.Writer, lines []string, tty bool) error {
	var text strings.Builder
	if tty {
		text.WriteString(clearScreen)
	}
	for _, line := range lines {
		text.WriteString(line)
		text.WriteByte('\n')
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// Declined is the answer no.
type Declined struct{ What string }

// Error implements error.
func (d *Declined) Error() string { return lowered(d.What) + ": not confirmed, nothing was changed" }

// lowered makes a question's first letter fit into the middle of a line.
func lowered(what string) string {
	if what == "" {
		return what
	}
	return strings.ToLower(what[:1]) + what[1:]
}

// Confirm asks for a yes before something is taken away. With yes it does not ask. Without a terminal
// there is nobody to ask, and it refuses.
func Confirm(in io.Reader, w io.Writer, what string, yes bool) error {
	if yes {
		return nil
	}
	if !Is(in) {
		return fmt.Errorf("%s needs a confirmation, and there is no terminal to ask on: repeat the command with --yes", lowered(what))
	}
	return ask(in, w, what)
}

func ask(in io.Reader, w io.Writer, what string) error {
	fmt.Fprintf(w, "%s? [y/N] ", what)
	answer, err := readLine(in)
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return &Declined{What: what}
}

// readLine reads up to a line end, byte by byte, so that nothing behind it is swallowed.
func readLine(in io.Reader) (string, error) {
	var line strings.Builder
	buffer := make([]byte, 1)
	for line.Len() < 1024 {
		n, err := in.Read(buffer)
		if n == 1 && buffer[0] == '\n' {
			break
		}
		line.Write(buffer[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
	}
	return line.String(), nil
}
