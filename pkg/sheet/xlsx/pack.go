package xlsx

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/markup"
	"github.com/contactmill/contactmill/pkg/sheet/unpack"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const (
	typesPart    = "[Content_Types].xml"
	mimeTypePart = "mimetype" // of OpenDocument files
	manifestPart = "meta-inf/manifest.xml"
	maxRelations = 100_000
)

// relationsSpace is the namespace of the attributes that name a relationship.
const relationsSpace = markup.MainSpace + 1

// spaces are the namespaces of the transitional and the strict schema, and of the package.
var spaces = map[string]markup.Space{
	"http://schemas.openxmlformats.org/spreadsheetml/2006/main":           markup.MainSpace,
	"http://purl.oclc.org/ooxml/spreadsheetml/main":                       markup.MainSpace,
	"http://schemas.openxmlformats.org/package/2006/relationships":        markup.MainSpace,
	"http://schemas.openxmlformats.org/package/2006/content-types":        markup.MainSpace,
	"http://schemas.openxmlformats.org/officeDocument/2006/relationships": relationsSpace,
	"http://purl.oclc.org/ooxml/officeDocument/relationships":             relationsSpace,
}

// pack is the package of a workbook: an archive of parts, their types and relationships (ECMA-376 part 2).
type pack struct {
	archive *unpack.Archive
	members map[string]unpack.Member // by folded part name
	types   map[string]string        // content type by folded part name
	byKind  map[string]string        // content type by folded extension
	check   func() error
}

func openPack(r io.ReaderAt, size int64, l Limits) (*pack, error) {
	archive, err := unpack.OpenArchive(r, size, l.Limits)
	if err != nil {
		return nil, err
	}
	p := &pack{archive: archive, members: map[string]unpack.Member{}, types: map[string]string{}, byKind: map[string]string{}, check: l.Check}
	for _, m := range archive.Members {
		p.members[partKey(m.Name)] = m
	}
	if !p.has(typesPart) {
		if p.has(mimeTypePart) {
			return nil, p.openDocument()
		}
		return nil, &finding.FileRefusal{Code: finding.FileIsZIP}
	}
	return p, p.readTypes()
}

// openDocument names a file that has the mark of OpenDocument.
func (p *pack) openDocument() error {
	mark, err := p.archive.Open(p.members[mimeTypePart])
	if err != nil {
		return err
	}
	defer mark.Close()
	kind, err := io.ReadAll(io.LimitReader(mark, 256))
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(kind, []byte("application/vnd.oasis.opendocument.")) {
		return &finding.FileRefusal{Code: finding.FileIsZIP}
	}
	if !p.has(manifestPart) {
		return &finding.FileRefusal{Code: finding.FileIsODS}
	}
	manifest, err := p.archive.Open(p.members[manifestPart])
	if err != nil {
		return err
	}
	defer manifest.Close()
	text, err := io.ReadAll(io.LimitReader(manifest, 1<<20))
	if err != nil {
		return err
	}
	if bytes.Contains(text, []byte("encryption-data")) {
		return &finding.FileRefusal{Code: finding.WorkbookProtected}
	}
	return &finding.FileRefusal{Code: finding.FileIsODS}
}

func partKey(name string) string { return strings.ToLower(strings.TrimPrefix(name, "/")) }

func (p *pack) has(part string) bool {
	_, ok := p.members[partKey(part)]
	return ok
}

// open reads a part as tokens, from behind the begin of its root element, until it is closed.
func (p *pack) open(part, root string) (t *markup.Reader, c io.Closer, err error) {
	m, ok := p.members[partKey(part)]
	if !ok {
		return nil, nil, markup.ErrDamaged
	}
	in, err := p.archive.Open(m)
	if err != nil {
		return nil, nil, err
	}
	decoded, err := inUTF8(markup.Watch(in, p.check))
	if err != nil {
		return nil, nil, err
	}
	t = markup.NewReader(decoded, spaces)
	if _, err := t.Next(); err != nil {
		return nil, nil, markup.Unexpected(err)
	}
	if !t.Is(root) {
		return nil, nil, markup.ErrDamaged
	}
	return t, in, nil
}

var declaredEncoding = regexp.MustCompile(`^<\?xml\s[^>]{0,80}encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']`)

// inUTF8 decodes a part that is in another encoding by its byte order mark or its XML declaration.
func inUTF8(in io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(in, 4<<10)
	head, err := b.Peek(256)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return transform.NewReader(b, unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()), nil
	}
	found := declaredEncoding.FindSubmatch(head)
	if found == nil {
		return b, nil
	}
	encoding, err := htmlindex.Get(string(found[1]))
	if err != nil {
		return nil, markup.ErrDamaged
	}
	if name, err := htmlindex.Name(encoding); err != nil || name == "utf-8" || strings.HasPrefix(name, "utf-16") {
		return b, nil
	}
	return transform.NewReader(b, encoding.NewDecoder()), nil
}

func (p *pack) readTypes() error {
	t, in, err := p.open(typesPart, "Types")
	if err != nil {
		return err
	}
	defer in.Close()
	return each(t, func() error {
		kind, err := t.Decoded("ContentType")
		if err != nil {
			return err
		}
		if len(p.types)+len(p.byKind) > maxRelations {
			return markup.TooLarge("content types", maxRelations)
		}
		switch {
		case t.Is("Override"):
			name, err := t.Decoded("PartName")
			p.types[partKey(unescaped(name))] = strings.ToLower(kind)
			return err
		case t.Is("Default"):
			extension, err := t.Decoded("Extension")
			p.byKind[strings.ToLower(extension)] = strings.ToLower(kind)
			return err
		}
		return nil
	})
}

func (p *pack) contentType(part string) string {
	if kind, ok := p.types[partKey(part)]; ok {
		return kind
	}
	return p.byKind[strings.ToLower(strings.TrimPrefix(path.Ext(part), "."))]
}

// mainPart finds the workbook's part by the package's relationships, and makes sure by its type that it is one.
func (p *pack) mainPart() (string, error) {
	root, err := p.relations("")
	if err != nil {
		return "", err
	}
	part := root.ofType("/officeDocument")
	if part == "" || !p.has(part) {
		return "", markup.ErrDamaged
	}
	switch kind := p.contentType(part); {
	case strings.Contains(kind, "sheet.binary"):
		return "", &finding.FileRefusal{Code: finding.WorkbookBinary}
	case strings.HasSuffix(kind, "main+xml") && (strings.Contains(kind, "spreadsheetml") || strings.Contains(kind, "ms-excel")):
		return part, nil
	case kind == "" || kind == "application/xml" || kind == "text/xml":
		return "", markup.ErrDamaged
	}
	return "", &finding.FileRefusal{Code: finding.FileIsDocument}
}

// relations are what one part says of others, by id.
type relations map[string]relation

type relation struct {
	kind     string // URI of the relationship's type
	target   string // part name, resolved
	external bool   // the target is not in the package: never opened
}

// ofType returns the part that is related by a type with that ending, "" if there is none. Of several it is the one with
// the lowest id.
func (r relations) ofType(ending string) string {
	best, target := "", ""
	for id, rel := range r {
		if strings.HasSuffix(rel.kind, ending) && !rel.external && (best == "" || id < best) {
			best, target = id, rel.target
		}
	}
	return target
}

// relations reads the relationships of a part, of the package itself for "". A part without any has none.
func (p *pack) relations(part string) (relations, error) {
	folder, base := path.Split(part)
	name := folder + "_rels/" + base + ".rels"
	if !p.has(name) {
		return nil, nil
	}
	t, in, err := p.open(name, "Relationships")
	if err != nil {
		return nil, err
	}
	defer in.Close()
	found := relations{}
	err = each(t, func() error {
		if !t.Is("Relationship") {
			return nil
		}
		if len(found) == maxRelations {
			return markup.TooLarge("relationships", maxRelations)
		}
		id, err := t.Decoded("Id")
		if err != nil {
			return err
		}
		kind, err := t.Decoded("Type")
		if err != nil {
			return err
		}
		target, err := t.Decoded("Target")
		if err != nil {
			return err
		}
		found[id] = relation{kind: kind, target: resolve(folder, target), external: string(t.Attr("TargetMode")) == "External"}
		return nil
	})
	return found, err
}

// resolve makes a part name of a relationship's target, relative to the folder of the part that names it.
func resolve(folder, target string) string {
	target = unescaped(strings.ReplaceAll(target, `\`, "/"))
	if !strings.HasPrefix(target, "/") {
		target = "/" + folder + target
	}
	return strings.TrimPrefix(path.Clean(target), "/")
}

func unescaped(name string) string {
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}
