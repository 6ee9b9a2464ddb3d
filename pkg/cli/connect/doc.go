// Package connect turns the standard kubectl flags into clients for one cluster and namespace, and
// reads the objects that more than one command needs.
//
// Nothing here runs before a command asks for it, so that help and version touch no file and no
// network. It writes to no cluster; that is the work of packages cluster and engine.
package connect
