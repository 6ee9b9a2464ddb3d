package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker (`-X`, see the Makefile) and by nothing else. Empty in a binary that was built by
// `go install` or `go test`; then Get falls back to what the toolchain recorded.
var (
	Version string // Version is a semantic version with a leading "v".
	Commit  string // Commit is the full Git commit hash.
	Date    string // Date is the time of that commit, RFC 3339 in UTC.
)

// unknown stands where neither the linker nor the toolchain recorded anything.
const unknown = "unknown"

// Info describes one build.
type Info struct {
	// Version is a semantic version with a leading "v", "(devel)" for a build from a work tree.
	Version string `json:"version"`
	// GitCommit is the full hash of the commit that was built.
	GitCommit string `json:"gitCommit"`
	// BuildDate is the time of that commit, RFC 3339 in UTC, so that equal sources give equal bytes.
	BuildDate string `json:"buildDate"`
	// GoVersion is the toolchain, such as "go1.26.8".
	GoVersion string `json:"goVersion"`
	// Platform is GOOS/GOARCH, such as "linux/amd64".
	Platform string `json:"platform"`
}

// Get returns the running binary's build. What the linker did not stamp is taken from the build
// information that the Go toolchain embeds; what is nowhere is "unknown".
func Get() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return from(stamp{Version: Version, Commit: Commit, Date: Date}, build)
}

// String is the one-line form for logs and user agents: "v0.1.0 (linux/amd64, 0123456789ab)".
func (i Info) String() string {
	commit := i.GitCommit
	if len(commit) > 12 && commit != unknown {
		commit = commit[:12]
	}
	return fmt.Sprintf("%s (%s, %s)", i.Version, i.Platform, commit)
}

// stamp is what the linker wrote.
type stamp struct {
	Version, Commit, Date string
}

func from(s stamp, build *debug.BuildInfo) Info {
	settings := map[string]string{}
	for _, setting := range build.Settings {
		settings[setting.Key] = setting.Value
	}
	return Info{
		Version:   firstOf(s.Version, build.Main.Version, unknown),
		GitCommit: firstOf(s.Commit, settings["vcs.revision"], unknown),
		BuildDate: firstOf(s.Date, settings["vcs.time"], unknown),
		GoVersion: runtime.Version(),
		Platform:  runtime.GOOS + "/" + runtime.GOARCH,
	}
}

func firstOf(candidates ...string) string {
	for _, candidate := range candidates {
		if candidate != "" {
			return candidate
		}
	}
	return ""
}
