package blob

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
)

// Names are paths of a file system on some servers: short segments, one case, nothing that means something else there.
const (
	maxName    = 512
	maxSegment = 200
	nameChars  = "abcdefghijklmnopqrstuvwxyz0123456789._-/"
)

// RawName is where the bytes of an upload lie, as they came.
func RawName(account, upload uuid.UUID) string { return RawPrefix(account) + upload.String() }

// RawPrefix is what begins the names of all that an account handed in.
func RawPrefix(account uuid.UUID) string { return fmt.Sprintf("raw/%s/", account) }

// JobPrefix is what begins the names of all that the stages of a job wrote.
func JobPrefix(account, job uuid.UUID) string { return fmt.Sprintf("work/%s/%s/", account, job) }

// WorkName is where a stage of a job puts a result under the token it holds: a stale writer never writes over a newer one's.
func WorkName(account, job uuid.UUID, stage string, token int64, what string) string {
	return fmt.Sprintf("%s%s-%d/%s", JobPrefix(account, job), stage, token, what)
}

func checkName(name string) error {
	if name == "" || len(name) > maxName || !onlyNameChars(name) {
		return fault.New(fault.Invalid, "blob-name", "object name %q is not 1 to %d of a-z 0-9 . _ - /", name, maxName)
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || len(segment) > maxSegment || segment == "." || strings.Contains(segment, "..") {
			return fault.New(fault.Invalid, "blob-name", "object name %q has an empty, too long or dotted segment", name)
		}
	}
	return nil
}

// checkPrefix allows names that end with a slash, so that "job1/" is never taken for "job10/", and never the whole bucket.
func checkPrefix(prefix string) error {
	name, ok := strings.CutSuffix(prefix, "/")
	if !ok {
		return fault.New(fault.Invalid, "blob-name", "prefix %q does not end with a slash", prefix)
	}
	return checkName(name)
}

func onlyNameChars(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(nameChars, r) }) < 0
}
