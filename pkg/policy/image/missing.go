package image

import "errors"

// ErrNotExist says that a registry was reached and knows no such image.
var ErrNotExist = errors.New("image does not exist")
