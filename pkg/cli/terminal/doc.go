// Package terminal knows whether a person sits at the other end, redraws their screen and asks them
// before something is taken away. Without a person it never asks and never assumes an answer.
package terminal
