package image_test

import (
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// One registry has one name: what a policy says of it would not count for another way to write it.
func TestTheDefaultPortIsLeftOut(t *testing.T) {
	tests := map[string]string{
		"registry.example.com:443/prod/web":    "registry.example.com/prod/web:latest",
		"Registry.Example.com:443/prod/web:v1": "registry.example.com/prod/web:v1",
		"docker.io:443/library/nginx":          "docker.io/library/nginx:latest",
		"docker.io:443/nginx":                  "docker.io/library/nginx:latest",
		"index.docker.io:443/ann/web":          "docker.io/ann/web:latest",
		"registry-1.docker.io:443/ann/web":     "docker.io/ann/web:latest",
		"10.0.0.1:443/web":                     "10.0.0.1/web:latest",
		"[::1]:443/web":                        "[::1]/web:latest",
		"localhost:443/web":                    "localhost/web:latest",
		// Without its port, this would be a user of Docker Hub.
		"registry:443/web":            "registry:443/web:latest",
		"registry.example.com:4430/a": "registry.example.com:4430/a:latest",
		"registry.example.com:80/a":   "registry.example.com:80/a:latest",
		"registry.example.com/a:443":  "registry.example.com/a:443",
	}
	for text, want := range tests {
		ref, err := image.Parse(text)
		if err != nil || ref.String() != want {
			t.Errorf("Parse(%q) = %q, %v; want %q", text, ref, err, want)
		}
	}
}

func TestPortsThatAreNoneOrCouldBeWrittenOtherwiseAreRefused(t *testing.T) {
	for _, host := range []string{
		"r.local:0443", "r.local:00443", "r.local:0", "r.local:00", "r.local:65536", "r.local:99999", "r.local:" + strings.Repeat("9", 40),
		"r.local:", "r.local:+443", "r.local:443:443", "r.local:x", "[::1]:0443", "[::1]:443:443", "docker.io:0443", "localhost:065",
	} {
		if ref, err := image.Parse(host + "/team/web"); err == nil {
			t.Errorf("Parse of a reference to %q = %q, want an error", host, ref)
		}
		if glob, err := image.ParseGlob(host + "/**"); err == nil {
			t.Errorf("ParseGlob of %q = %v, want an error", host, glob)
		}
	}
	for _, host := range []string{"r.local:1", "r.local:65535", "[::1]:5000"} {
		if _, err := image.Parse(host + "/team/web"); err != nil {
			t.Error(err)
		}
	}
}

func TestGlobsMatchWhicheverWayAHostIsWritten(t *testing.T) {
	for _, glob := range []string{"registry.example.com/prod/**", "registry.example.com:443/prod/**", "*.example.com:443/prod/*", "*/prod/*", "**/web"} {
		parsed, err := image.ParseGlob(glob)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"registry.example.com/prod/web", "registry.example.com:443/prod/web", "REGISTRY.example.com:443/prod/web"} {
			ref, err := image.Parse(text)
			if err != nil || !parsed.Match(ref) {
				t.Errorf("%q does not match %q (%v)", glob, text, err)
			}
		}
	}
	hub, err := image.ParseGlob("registry-1.docker.io:443/library/*")
	if err != nil {
		t.Fatal(err)
	}
	if ref, err := image.Parse("docker.io:443/nginx"); err != nil || !hub.Match(ref) {
		t.Errorf("%q does not match %q (%v)", hub, ref, err)
	}
}

func TestGlobsThatNoNameCanMatchAreRefusedWithWhatToWrite(t *testing.T) {
	tests := map[string]string{
		"shop/*":                               `write "docker.io/shop/*"`,
		"library/nginx":                        `write "docker.io/library/nginx"`,
		"runeframeos/**":                       `write "docker.io/runeframeos/**"`,
		"docker.io/nginx":                      `write "docker.io/library/nginx", or "docker.io/**"`,
		"docker.io/*":                          `write "docker.io/library/*", or "docker.io/**"`,
		"registry.example.com":                 "begin with a registry",
		"registry.example.com/":                `write "registry.example.com/**"`,
		"registry.example.com/prod/":           `write "registry.example.com/prod/**"`,
		"registry.example.com//x":              "write single slashes",
		"registry.example.com/-x":              "begin and end with a letter or a digit",
		"registry.example.com/team/*-":         "begin and end with a letter or a digit",
		"registry.example.com/a___*":           "no repository",
		"https://registry.example.com/x":       "names have no scheme",
		"ann@registry.example.com/x":           `write the host "registry.example.com"`,
		"**example.com/shop/**":                "write * within a host",
		"registry*:443/x":                      `write "registry*/x"`,
		"-registry.example.com/x":              "is no registry host",
		"registry.example.com:0443/x":          "is no registry host",
		"registry..example.com/x":              "is no registry host",
		"registry.example.com/web:v1":          "without tag and digest",
		"registry.example.com/Web":             "lower-case name",
		"registry.example.com/web@" + digest:   "without tag and digest",
		"registry.example.com/web\n":           "no spaces",
		"registry.example.com/prod/**/../x":    "no repository",
		"registry.example.com/prod?/x":         "no repository",
		"registry.example.com/{web,shop}/prod": "no repository",
	}
	for text, want := range tests {
		if glob, err := image.ParseGlob(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseGlob(%q) = %v, %v; want an error that says %q", text, glob, err, want)
		}
	}
}

func TestGlobsThatNamesCanMatchAreRead(t *testing.T) {
	tests := map[string]string{
		"**":                       "r.local/web",
		"*/**":                     "r.local:5000/a/b",
		"**/web":                   "r.local/a/web",
		"*:5000/web":               "r.local:5000/web",
		"r.local:*/web":            "r.local:5000/web",
		"r.local:50*/web":          "r.local:5000/web",
		"10.*:5000/web":            "10.0.0.1:5000/web",
		"[::1]:5000/*":             "[::1]:5000/web",
		"localhost/*":              "localhost/web",
		"registry:443/web":         "registry:443/web",
		"docker.io/**":             "nginx",
		"docker.io/ng**":           "ng/inx",
		"docker.io/*/*":            "ann/web",
		"docker.io/library/nginx":  "nginx",
		"r.local/**/web-*_*.x":     "r.local/a/b/web-1_2.x",
		"registry.example.com*/**": "registry.example.com.evil.org/web",
	}
	for text, name := range tests {
		glob, err := image.ParseGlob(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if ref, err := image.Parse(name); err != nil || !glob.Match(ref) {
			t.Errorf("%q does not match %q (%v)", text, name, err)
		}
	}
}
