package supervise

import (
	"io"
	"os"
)

// Release is the byte by which the process that brings a cluster up lets go of
// it.
const Release byte = 1

// Leash returns a channel that is closed when the other end of the pipe is
// closed before it has sent Release: when whoever brought the cluster up was
// killed before it was up.
func Leash(pipe *os.File) <-chan struct{} {
	torn := make(chan struct{})
	go func() {
		defer pipe.Close()
		var said [1]byte
		if _, err := io.ReadFull(pipe, said[:]); err != nil || said[0] != Release {
			close(torn)
		}
	}()
	return torn
}
