// Apidoc writes the API as a page of Markdown, out of the comments in proto. It reads what buf compiled:
//
//	buf build -o - | apidoc docs/api.md
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

const head = `# API

Every method, message and value, made from [proto](../proto) by ` + "`make docs`" + `. A call carries its API key in the metadata
` + "`authorization: Bearer cm_...`" + `; who may call what is one table, [pkg/rpc/access.go](../pkg/rpc/access.go). An error carries a
stable code as the reason of a google.rpc.ErrorInfo, domain contactmill, and often a hint in its metadata. Errors that
every method can answer: INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND (also for what is somebody else's),
UNAVAILABLE (ask again later) and DEADLINE_EXCEEDED.
`

func main() {
	if err := run(os.Stdin, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "apidoc:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%d arguments, want the page to write", len(args))
	}
	image, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("read what buf compiled: %w", err)
	}
	page, err := render(image)
	if err != nil {
		return err
	}
	if err := os.WriteFile(args[0], page, 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// render makes the page of a serialised FileDescriptorSet with source info.
func render(image []byte) ([]byte, error) {
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(image, &set); err != nil {
		return nil, fmt.Errorf("read what buf compiled: %w", err)
	}
	registry, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, fmt.Errorf("link what buf compiled: %w", err)
	}
	var files []protoreflect.FileDescriptor
	registry.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(f.Path(), "contactmill/") {
			files = append(files, f)
		}
		return true
	})
	if len(files) == 0 {
		return nil, fmt.Errorf("read what buf compiled: no file of ours")
	}
	slices.SortFunc(files, func(a, b protoreflect.FileDescriptor) int { return strings.Compare(a.Path(), b.Path()) })

	p := &page{}
	p.WriteString(head)
	last := protoreflect.FullName("")
	for _, f := range files {
		if f.Package() != last {
			last = f.Package()
			fmt.Fprintf(p, "\n# %s\n", last)
		}
		p.file(f)
	}
	return p.Bytes(), nil
}

type page struct{ bytes.Buffer }

func (p *page) file(f protoreflect.FileDescriptor) {
	for i := range f.Services().Len() {
		s := f.Services().Get(i)
		fmt.Fprintf(p, "\n## %s\n\n%s\n", s.Name(), comment(s))
		for j := range s.Methods().Len() {
			m := s.Methods().Get(j)
			fmt.Fprintf(p, "\n### %s.%s\n\n`%s(%s) returns (%s)`\n\n%s\n", s.Name(), m.Name(), m.Name(),
				streamed(m.IsStreamingClient(), m.Input()), streamed(m.IsStreamingServer(), m.Output()), comment(m))
		}
	}
	for i := range f.Messages().Len() {
		p.message(f.Messages().Get(i))
	}
	for i := range f.Enums().Len() {
		e := f.Enums().Get(i)
		fmt.Fprintf(p, "\n### %s\n\n%s\n\n| value | number | |\n| --- | --- | --- |\n", e.Name(), comment(e))
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			fmt.Fprintf(p, "| %s | %d | %s |\n", v.Name(), v.Number(), cell(comment(v)))
		}
	}
}

func (p *page) message(m protoreflect.MessageDescriptor) {
	if m.IsMapEntry() {
		return
	}
	fmt.Fprintf(p, "\n### %s\n\n%s\n", m.Name(), comment(m))
	if m.Fields().Len() > 0 {
		fmt.Fprint(p, "\n| field | type | |\n| --- | --- | --- |\n")
	}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		fmt.Fprintf(p, "| %s | %s | %s |\n", f.Name(), kind(f), cell(comment(f)))
	}
	for i := range m.Messages().Len() {
		p.message(m.Messages().Get(i))
	}
}

func streamed(stream bool, m protoreflect.MessageDescriptor) string {
	if stream {
		return "stream " + string(m.Name())
	}
	return string(m.Name())
}

// kind is a field's type as the proto spells it, without the package.
func kind(f protoreflect.FieldDescriptor) string {
	name := f.Kind().String()
	switch {
	case f.IsMap():
		return "map of " + kind(f.MapKey()) + " to " + kind(f.MapValue())
	case f.Message() != nil:
		name = string(f.Message().Name())
	case f.Enum() != nil:
		name = string(f.Enum().Name())
	}
	if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
		name += ", one of " + string(o.Name())
	}
	switch {
	case f.IsList():
		return "repeated " + name
	case f.HasOptionalKeyword():
		return "optional " + name
	}
	return name
}

func comment(d protoreflect.Descriptor) string {
	text := d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments
	return strings.TrimSpace(strings.ReplaceAll(text, "\n ", "\n"))
}

// cell is a text on one line, inert in a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "\\|")
}
