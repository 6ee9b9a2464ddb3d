package view

import (
	"fmt"
	"strings"
	"time"
)

// Duration prints a time span in whole seconds with at most two units: 45s, 1m12s, 5m, 2h5m, 3d4h.
func Duration(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	if d < time.Second && d > 0 {
		return d.Round(time.Millisecond).String()
	}
	seconds := int64(d.Round(time.Second) / time.Second)
	units := []struct {
		size int64
		name string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}}
	var text strings.Builder
	shown := 0
	for _, unit := range units {
		count := seconds / unit.size
		seconds %= unit.size
		if count > 0 {
			fmt.Fprintf(&text, "%d%s", count, unit.name)
		}
		if count > 0 || shown > 0 {
			shown++
		}
		if shown == 2 {
			break
		}
	}
	if text.Len() == 0 {
		return "0s"
	}
	return text.String()
}
