package defaults

// object is a JSON object.
type object = map[string]any

// child returns a member that is an object; nil where it is none.
func child(parent object, name string) object {
	found, _ := parent[name].(object)
	return found
}

// made returns a member that is an object, and makes one where there is nothing. It is nil where there is something else.
func made(parent object, name string) object {
	if parent == nil {
		return nil
	}
	if parent[name] == nil {
		parent[name] = object{}
	}
	return child(parent, name)
}

// items returns the objects of a member that is a list.
func items(parent object, name string) []object {
	list, _ := parent[name].([]any)
	var found []object
	for _, item := range list {
		if o, ok := item.(object); ok {
			found = append(found, o)
		}
	}
	return found
}

// unset gives an optional member a value where it is absent or null.
func unset(parent object, name string, value any) {
	if parent != nil && parent[name] == nil {
		parent[name] = value
	}
}

// empty gives a member a value where it is absent, null, or what Go calls zero.
func empty(parent object, name string, value any) {
	if parent == nil {
		return
	}
	switch parent[name] {
	case nil, "", int64(0), float64(0):
		parent[name] = value
	}
}

// withoutNulls drops the members that are null, as decoding into Go's types does. In maps whose keys people choose the
// key stays with the zero value. The name is that of the object in its parent.
func withoutNulls(o object, name string) {
	for key, value := range o {
		switch value := value.(type) {
		case nil:
			switch name {
			case "labels", "annotations", "matchLabels", "nodeSelector":
				o[key] = ""
			case "limits", "requests", "overhead":
				o[key] = "0"
			default:
				delete(o, key)
			}
		case object:
			withoutNulls(value, key)
		case []any:
			for _, item := range value {
				if member, ok := item.(object); ok {
					withoutNulls(member, "")
				}
			}
		}
	}
}
