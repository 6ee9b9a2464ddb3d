package check

import (
	"io/fs"
)

// oneFile is a directory with one file, for a reader of directories.
type oneFile struct {
	name    string
	content []byte
}

// Open implements fs.FS. Readers use ReadDir and ReadFile.
func (o oneFile) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFS.
func (o oneFile) ReadDir(string) ([]fs.DirEntry, error) { return []fs.DirEntry{entry(o.name)}, nil }

// ReadFile implements fs.ReadFileFS.
func (o oneFile) ReadFile(name string) ([]byte, error) {
	if name != o.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return o.content, nil
}

// entry is a regular file in a directory.
type entry string

// Name implements fs.DirEntry.
func (e entry) Name() string { return string(e) }

// IsDir implements fs.DirEntry.
func (e entry) IsDir() bool { return false }

// Type implements fs.DirEntry.
func (e entry) Type() fs.FileMode { return 0 }

// Info implements fs.DirEntry. Nobody asks.
func (e entry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }
