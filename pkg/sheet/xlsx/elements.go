package xlsx

import "bytes"

// namespace is what is needed of an element's namespace.
type namespace uint8

const (
	noNamespace namespace = iota
	mainNamespace
	relationsNamespace // of r:id attributes
	otherNamespace
)

// namespaces are the names of the transitional and the strict schema.
var namespaces = map[string]namespace{
	"http://schemas.openxmlformats.org/spreadsheetml/2006/main":           mainNamespace,
	"http://purl.oclc.org/ooxml/spreadsheetml/main":                       mainNamespace,
	"http://schemas.openxmlformats.org/package/2006/relationships":        mainNamespace,
	"http://schemas.openxmlformats.org/package/2006/content-types":        mainNamespace,
	"http://schemas.openxmlformats.org/officeDocument/2006/relationships": relationsNamespace,
	"http://purl.oclc.org/ooxml/officeDocument/relationships":             relationsNamespace,
}

type binding struct {
	prefix string
	space  namespace
	depth  int
}

// push opens an element by its full name.
func (t *tokens) push(full []byte, declares bool) error {
	if len(t.marks) == maxDepth {
		return tooLarge("element depth", maxDepth)
	}
	t.marks = append(t.marks, len(t.names))
	t.names = append(t.names, full...)
	if declares {
		for _, a := range t.attrs {
			switch {
			case len(a.prefix) == 0 && string(a.name) == "xmlns":
				t.bind("", a.value)
			case string(a.prefix) == "xmlns":
				t.bind(string(a.name), a.value)
			}
		}
	}
	t.name, t.space = full, t.unnamed
	if i := bytes.IndexByte(full, ':'); i >= 0 {
		if i == 0 || i == len(full)-1 || bytes.IndexByte(full[i+1:], ':') >= 0 {
			return errSyntax
		}
		t.name, t.space = full[i+1:], t.resolve(full[:i])
	}
	t.closing = t.selfEnded
	return nil
}

func (t *tokens) bind(prefix string, name []byte) {
	space, ok := namespaces[string(name)]
	if !ok && len(name) > 0 {
		space = otherNamespace
	}
	t.bindings = append(t.bindings, binding{prefix, space, len(t.marks)})
	if prefix == "" {
		t.unnamed = space
	}
}

func (t *tokens) resolve(prefix []byte) namespace {
	for i := len(t.bindings) - 1; i >= 0; i-- {
		if t.bindings[i].prefix == string(prefix) {
			return t.bindings[i].space
		}
	}
	if len(prefix) == 0 {
		return noNamespace
	}
	return otherNamespace
}

// pop closes the innermost element.
func (t *tokens) pop() {
	if n := len(t.bindings); n > 0 && t.bindings[n-1].depth == len(t.marks) {
		for n > 0 && t.bindings[n-1].depth == len(t.marks) {
			n--
		}
		t.bindings = t.bindings[:n]
		t.unnamed = t.resolve(nil)
	}
	last := len(t.marks) - 1
	t.names = t.names[:t.marks[last]]
	t.marks = t.marks[:last]
}

// is reports whether the current element has this name in the spreadsheet's own namespace, or in none.
func (t *tokens) is(name string) bool {
	return t.space <= mainNamespace && string(t.name) == name
}

// attr returns an attribute without a prefix, undecoded; nil if it is not there.
func (t *tokens) attr(name string) []byte {
	for i := range t.attrs {
		if len(t.attrs[i].prefix) == 0 && string(t.attrs[i].name) == name {
			return t.attrs[i].value
		}
	}
	return nil
}

// decoded returns an attribute without a prefix, decoded.
func (t *tokens) decoded(name string) (string, error) {
	value, err := appendDecoded(nil, t.attr(name))
	return string(value), err
}

// relation returns the id of a relationship that the current element names.
func (t *tokens) relation() (string, error) {
	for _, a := range t.attrs {
		if string(a.name) == "id" && len(a.prefix) > 0 && t.resolve(a.prefix) == relationsNamespace {
			value, err := appendDecoded(nil, a.value)
			return string(value), err
		}
	}
	return "", nil
}
