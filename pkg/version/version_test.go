package version

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFrom(t *testing.T) {
	toolchain := &debug.BuildInfo{
		Main: debug.Module{Version: "v0.0.9"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "aaaa"},
			{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"},
		},
	}
	tests := map[string]struct {
		stamp stamp
		build *debug.BuildInfo
		want  Info
	}{
		"the linker's stamp wins over the toolchain's": {
			stamp: stamp{Version: "v1.2.3", Commit: "bbbb", Date: "2026-11-01T00:00:00Z"},
			build: toolchain,
			want:  Info{Version: "v1.2.3", GitCommit: "bbbb", BuildDate: "2026-11-01T00:00:00Z"},
		},
		"go install stamps through the toolchain": {
			build: toolchain,
			want:  Info{Version: "v0.0.9", GitCommit: "aaaa", BuildDate: "2026-01-02T03:04:05Z"},
		},
		"what nobody recorded is unknown": {
			build: &debug.BuildInfo{},
			want:  Info{Version: "unknown", GitCommit: "unknown", BuildDate: "unknown"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.want.GoVersion = runtime.Version()
			test.want.Platform = runtime.GOOS + "/" + runtime.GOARCH
			if diff := cmp.Diff(test.want, from(test.stamp, test.build)); diff != "" {
				t.Errorf("from() differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInfoStringShortensTheCommit(t *testing.T) {
	info := Info{Version: "v1.2.3", GitCommit: "0123456789abcdef0123", Platform: "linux/amd64"}
	if got, want := info.String(), "v1.2.3 (linux/amd64, 0123456789ab)"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
