package unpack

import (
	"io"
	"path"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// companions are files that desktops put beside what a person packs.
var companions = [...]string{".ds_store", "thumbs.db", "desktop.ini"}

// Zip opens the one file in the archive of that size. What desktops add by themselves is passed over.
func Zip(r io.ReaderAt, size int64, l Limits) (name string, file io.ReadCloser, err error) {
	a, err := OpenArchive(r, size, l)
	if err != nil {
		return "", nil, err
	}
	var only *Member
	for i, m := range a.Members {
		if isCompanion(m.Name) {
			continue
		}
		if only != nil {
			return "", nil, refuse(finding.ArchiveNotOneFile)
		}
		only = &a.Members[i]
	}
	if only == nil {
		return "", nil, refuse(finding.ArchiveNotOneFile)
	}
	file, err = a.Open(*only)
	if err != nil {
		return "", nil, err
	}
	return only.Name, file, nil
}

func isCompanion(name string) bool {
	name = strings.ToLower(name)
	base := path.Base(name)
	if strings.HasPrefix(name, "__macosx/") {
		return strings.HasPrefix(base, "._")
	}
	for _, c := range companions {
		if base == c {
			return true
		}
	}
	return false
}
