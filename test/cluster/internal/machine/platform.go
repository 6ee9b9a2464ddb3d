package machine

import "runtime"

// Platform is the platform of the containers that run on this machine.
func Platform() string { return "linux/" + runtime.GOARCH }
