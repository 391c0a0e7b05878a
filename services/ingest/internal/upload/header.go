package upload

import (
	"encoding/hex"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/view"
)

const maxFileName = 255 // bytes

// header is a header that passed.
type header struct {
	requestID string
	fileName  string
	size      int64  // 0 if not known
	sha256    string // lower-case hex; empty if not known
	settings  ledger.Settings
	upload    uuid.UUID // uuid.Nil to begin
	offset    int64
}

func fromHeader(h *ingestv1.UploadHeader, most int64, now time.Time) (header, error) {
	out := header{fileName: fileName(h.GetFileName()), size: h.GetSize(), offset: h.GetOffset()}
	var err error
	if out.requestID, err = view.FromRequestID(h.GetRequestId()); err != nil {
		return header{}, err
	}
	if out.sha256, err = fromSHA256(h.GetSha256()); err != nil {
		return header{}, err
	}
	switch {
	case out.size < 0:
		return header{}, fault.New(fault.Invalid, "size-negative", "the size is negative").Hint("send 0 if it is not known")
	case out.size > most:
		return header{}, tooLarge(most)
	case out.offset < 0:
		return header{}, fault.New(fault.Invalid, "offset-negative", "the offset is negative")
	case out.offset > 0 && h.GetUploadId() == "":
		return header{}, fault.New(fault.Invalid, "upload-id-missing", "an offset without an upload id").Hint("ask GetUpload for both")
	}
	if h.GetUploadId() != "" {
		if out.upload, err = uuid.Parse(h.GetUploadId()); err != nil || out.upload == uuid.Nil {
			return header{}, unknownUpload()
		}
	}
	out.settings, err = view.FromSettings(h.GetSettings(), now)
	return out, err
}

// fileName makes a name that a person gave safe to keep: without control characters, at most 255 bytes. It names no file
// of ours.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	if len(s) <= maxFileName {
		return s
	}
	end := maxFileName
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

func fromSHA256(s string) (string, error) {
	if b, err := hex.DecodeString(s); err != nil || len(b) != 0 && len(b) != 32 {
		return "", fault.New(fault.Invalid, "checksum-invalid", "the SHA-256 is not 64 hexadecimal digits")
	}
	return strings.ToLower(s), nil
}

func tooLarge(most int64) error {
	return fault.New(fault.Invalid, "file-too-large", "the file is larger than the limit of %d bytes", most).Hint("split the file")
}

func unknownUpload() error {
	return fault.New(fault.NotFound, "unknown-upload", "no such upload, or nothing of it is stored").Hint("begin again without an upload id")
}
