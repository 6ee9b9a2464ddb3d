package forward

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"sync"
)

// Tunnel connects whoever connects to the listener with the address, until the
// listener is closed.
func Tunnel(ctx context.Context, listener net.Listener, address string) error {
	var dialer net.Dialer
	for {
		accepted, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go func() {
			defer accepted.Close()
			dialed, err := dialer.DialContext(ctx, "tcp", address)
			if err != nil {
				log.Printf("dialing for %s: %v", accepted.RemoteAddr(), err)
				return
			}
			defer dialed.Close()
			join(accepted, dialed)
		}()
	}
}

// join copies both ways until both sides have said all.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { copyAndClose(a, b) })
	both.Go(func() { copyAndClose(b, a) })
	both.Wait()
}

// copyAndClose copies to the end and passes the end on. Where it cannot be
// copied further, the other direction must not wait for ever either.
func copyAndClose(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite() //nolint:errcheck // the peer may be gone already
	}
}
