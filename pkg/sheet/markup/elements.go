package markup

import "bytes"

// Space is what is needed of an element's namespace.
type Space uint8

const (
	NoSpace   Space = iota // the element has no namespace
	MainSpace              // that of the document's own elements
	// further ones are the caller's
	OtherSpace Space = 255 // one that the caller did not name
)

type binding struct {
	prefix string
	space  Space
	depth  int
}

// push opens an element by its full name.
func (r *Reader) push(full []byte, declares bool) error {
	if len(r.marks) == maxDepth {
		return TooLarge("element depth", maxDepth)
	}
	r.marks = append(r.marks, len(r.names))
	r.names = append(r.names, full...)
	if declares {
		for _, a := range r.Attributes {
			switch {
			case len(a.Prefix) == 0 && string(a.Name) == "xmlns":
				r.bind("", a.Value)
			case string(a.Prefix) == "xmlns":
				r.bind(string(a.Name), a.Value)
			}
		}
	}
	r.Name, r.Space = full, r.unnamed
	if i := bytes.IndexByte(full, ':'); i >= 0 {
		if i == 0 || i == len(full)-1 || bytes.IndexByte(full[i+1:], ':') >= 0 {
			return ErrDamaged
		}
		r.Name, r.Space = full[i+1:], r.resolve(full[:i])
	}
	r.closing = r.selfEnded
	return nil
}

func (r *Reader) bind(prefix string, name []byte) {
	space, ok := r.spaces[string(name)]
	if !ok && len(name) > 0 {
		space = OtherSpace
	}
	r.bindings = append(r.bindings, binding{prefix, space, len(r.marks)})
	if prefix == "" {
		r.unnamed = space
	}
}

func (r *Reader) resolve(prefix []byte) Space {
	for i := len(r.bindings) - 1; i >= 0; i-- {
		if r.bindings[i].prefix == string(prefix) {
			return r.bindings[i].space
		}
	}
	if len(prefix) == 0 {
		return NoSpace
	}
	return OtherSpace
}

// pop closes the innermost element.
func (r *Reader) pop() {
	if n := len(r.bindings); n > 0 && r.bindings[n-1].depth == len(r.marks) {
		for n > 0 && r.bindings[n-1].depth == len(r.marks) {
			n--
		}
		r.bindings = r.bindings[:n]
		r.unnamed = r.resolve(nil)
	}
	last := len(r.marks) - 1
	r.names = r.names[:r.marks[last]]
	r.marks = r.marks[:last]
}

// Is reports whether the current element has this name in the document's own namespace, or in none.
func (r *Reader) Is(name string) bool {
	return r.Space <= MainSpace && string(r.Name) == name
}

// In reports whether the current element has this name in a namespace.
func (r *Reader) In(space Space, name string) bool {
	return r.Space == space && string(r.Name) == name
}

// AttrIn returns an attribute of a namespace, undecoded; nil if it is not there.
func (r *Reader) AttrIn(space Space, name string) []byte {
	for i := range r.Attributes {
		a := &r.Attributes[i]
		if string(a.Name) == name && len(a.Prefix) > 0 && r.resolve(a.Prefix) == space {
			return a.Value
		}
	}
	return nil
}

// Attr returns an attribute without a prefix, undecoded; nil if it is not there.
func (r *Reader) Attr(name string) []byte {
	for i := range r.Attributes {
		if len(r.Attributes[i].Prefix) == 0 && string(r.Attributes[i].Name) == name {
			return r.Attributes[i].Value
		}
	}
	return nil
}

// Decoded returns an attribute without a prefix, decoded.
func (r *Reader) Decoded(name string) (string, error) {
	value, err := AppendDecoded(nil, r.Attr(name))
	return string(value), err
}

// DecodedIn returns an attribute of a namespace, decoded.
func (r *Reader) DecodedIn(space Space, name string) (string, error) {
	value, err := AppendDecoded(nil, r.AttrIn(space, name))
	return string(value), err
}
