package lifecycle

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// tailBytes bounds what is read of a log that may be long.
const tailBytes = 64 << 10

// tail returns the last lines of a file.
func tail(path string, lines int) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	buffer := make([]byte, min(size, tailBytes))
	if _, err := file.ReadAt(buffer, size-int64(len(buffer))); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	buffer = bytes.TrimRight(buffer, "\n")
	start := len(buffer)
	for ; lines > 0 && start > 0; lines-- {
		start = bytes.LastIndexByte(buffer[:start], '\n')
		if start < 0 {
			start = 0
		}
	}
	return string(bytes.TrimLeft(buffer[start:], "\n")), nil
}
