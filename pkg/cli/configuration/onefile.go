package configuration

import (
	"io/fs"
)

// OneFile is a directory with one file, for a reader of directories.
type OneFile struct {
	Name    string
	Content []byte
}

// Open implements fs.FS. Readers use ReadDir and ReadFile.
func (o OneFile) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFS.
func (o OneFile) ReadDir(string) ([]fs.DirEntry, error) { return []fs.DirEntry{entry(o.Name)}, nil }

// ReadFile implements fs.ReadFileFS.
func (o OneFile) ReadFile(name string) ([]byte, error) {
	if name != o.Name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return o.Content, nil
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
